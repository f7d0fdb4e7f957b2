"""All of the lecture's networks, trained and compared with its figures on one page.

    python -m experiments.reproduce

Expected: every verdict "met" on the real data, in about 8 minutes on 2 slow cores (66 GFLOP/s); on
the embedded data "not comparable", in about a minute. Exit code 1 if a figure is missed.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from dl_jax import report
from experiments import fashion_mnist_mlp, imdb_reviews, mnist_cnn, perceptron
from experiments.options import Options, check, command, main
from experiments.record import Record
from experiments.together import run_together

EXPERIMENTS = {
    "perceptron": perceptron,
    "fashion_mnist_mlp": fashion_mnist_mlp,
    "mnist_cnn": mnist_cnn,
    "imdb_reviews": imdb_reviews,
}
PASSED_ON = ("data", "seed", "seeds", "sweep")
"""Options of each network."""


@dataclass(frozen=True)
class Config(Options):
    """All of the lecture's networks, one after the other."""

    num_epochs: int | None = None
    """For each network; each one's own unless given."""
    seeds: int = 1
    """How many of each network are trained in one program, from --seed on."""
    sweep: tuple[str, ...] = ()
    """NAME=VALUE,VALUE,...: settings to train each network with, in one program of each."""


def run(config: Config) -> None:
    """Run every network in a folder of its own, and write one page over all of them.

    Raises:
        SystemExit: with code 1, if a figure is missed.
        ValueError: for settings that one of the networks cannot have, before any of them is run.
    """
    settings: dict[str, Any] = {name: getattr(config, name) for name in PASSED_ON}
    if config.num_epochs is not None:
        settings["num_epochs"] = config.num_epochs
    for name, experiment in EXPERIMENTS.items():
        try:
            check(experiment.Config(**settings))
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error

    def runner(experiment: ModuleType) -> Callable[[Path], Record]:
        return lambda folder: experiment.run(experiment.Config(**settings, out=folder))

    results = run_together(
        "reproduce",
        {name: runner(experiment) for name, experiment in EXPERIMENTS.items()},
        config.out,
        title="The lecture’s networks, reproduced",
        description="Each network of the lecture, trained and compared with its figures.",
        command=command("reproduce", config),
    )
    if report.overall(result["verdict"] for result in results) == "missed":
        sys.exit(1)


if __name__ == "__main__":
    main("reproduce", Config, run)
