"""All of the lecture's networks, trained and compared with its figures on one page.

    python -m experiments.reproduce

Expected: every verdict "met" on the real data, in under 6 minutes on 2 cores; on the embedded data
"not comparable", in under 90 seconds. Exit code 1 if a figure is missed.
"""

import sys
from dataclasses import dataclass

from dl_jax import report
from experiments import fashion_mnist_mlp, imdb_reviews, mnist_cnn, perceptron
from experiments.options import Options, command, main
from experiments.record import Record

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
    folder = report.make_run_folder(config.out, "reproduce")
    records: list[Record] = []
    try:
        for name, experiment in EXPERIMENTS.items():
            print(f"\n{name}")
            settings = {"data": config.data, "seed": config.seed, "out": folder / name}
            if config.num_epochs is not None:
                settings["num_epochs"] = config.num_epochs
            records.append(experiment.run(experiment.Config(**settings)))
    finally:
        results = [record.result for record in records]
        if records:
            page = report.write_index(
                folder,
                [(record.result, record.pictures) for record in records],
                command=command("reproduce", config),
            )
            report.print_results(results)
            print(f"Page: {page}")
    if report.overall(result["verdict"] for result in results) == "missed":
        sys.exit(1)


if __name__ == "__main__":
    main(Config, run)
