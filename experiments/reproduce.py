"""All of the lecture's networks, trained and compared with its figures on one page.

    python -m experiments.reproduce

Expected: every verdict "met" on the real data, in about 8 minutes on 2 slow cores (66 GFLOP/s); on
the embedded data "not comparable", in about a minute. Exit code 1 if a figure is missed.
"""

import sys
from dataclasses import dataclass

from dl_jax import report
from experiments import fashion_mnist_mlp, imdb_reviews, mnist_cnn, perceptron
from experiments.options import Options, check, command, main
from experiments.record import Interrupted, Record

EXPERIMENTS = {
    "perceptron": perceptron,
    "fashion_mnist_mlp": fashion_mnist_mlp,
    "mnist_cnn": mnist_cnn,
    "imdb_reviews": imdb_reviews,
}


@dataclass(frozen=True)
class Config(Options):
    """All of the lecture's networks, one after the other."""

    num_epochs: int | None = None
    """For each network; each one's own unless given."""


def run(config: Config) -> None:
    """Run every experiment in a folder of its own, and write one page over all of them.

    Raises:
        SystemExit: with code 1, if a figure is missed.
    """
    if config.num_epochs is not None:
        check(config)
    folder = report.make_run_folder(config.out, "reproduce")
    records: list[Record] = []
    description = "Each network of the lecture, trained and compared with its figures."
    try:
        for name, experiment in EXPERIMENTS.items():
            print(f"\n{name}")
            settings = {"data": config.data, "seed": config.seed, "out": folder / name}
            if config.num_epochs is not None:
                settings["num_epochs"] = config.num_epochs
            records.append(experiment.run(experiment.Config(**settings)))
    except BaseException as error:
        if isinstance(error, Interrupted):
            records.append(error.record)
        left = list(EXPERIMENTS)[len(records) :]
        description = f"Stopped early; not run: {', '.join(left) or 'none'}."
        raise
    finally:
        results = [record.result for record in records]
        if records:
            page = report.write_index(
                folder,
                [(record.result, record.pictures) for record in records],
                description=description,
                command=command("reproduce", config),
            )
            report.print_results(results)
            print(f"Page: {page}")
    if report.overall(result["verdict"] for result in results) == "missed":
        sys.exit(1)


if __name__ == "__main__":
    main("reproduce", Config, run)
