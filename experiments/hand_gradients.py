"""The lecture's networks trained twice, on its own derivations and on automatic differentiation.

    python -m experiments.hand_gradients

Both start from the same parameters, see the same examples in the same order and drop the same
values. Expected: one loss curve, to 1e-4 in float32 and 1e-10 in float64 in its median and after
the epoch, in at most 1.2 times the time; in about a minute on 2 cores. In float32 a ReLU whose
input is 0 to rounding may go one way here and the other there; the curves part by some 1e-4 then,
and meet again. Seeds and swept learning rates come one after the other, since each is timed, as
calls of one program.
Slides "Backpropagation".
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any, Literal

import jax
import numpy as np
import optax

from dl_jax import report
from experiments import fashion_mnist_mlp, imdb_reviews, mnist_cnn
from experiments.grid import Grid, grid_of, label
from experiments.options import Options, main
from experiments.record import Record
from experiments.recording import recording
from experiments.sources import examples, obtain
from experiments.training import Task
from experiments.two_ways import WAYS, Race, race

NETWORKS = {
    "fashion_mnist_mlp": ("fashion_mnist", fashion_mnist_mlp),
    "mnist_cnn": ("mnist", mnist_cnn),
    "imdb_reviews": ("imdb_reviews", imdb_reviews),
}
BOUNDS = {"float32": 1e-4, "float64": 1e-10}


@dataclass(frozen=True)
class Config(Options):
    """Gradients by hand beside automatic ones, for an epoch of each network."""

    num_epochs: int = 1
    learning_rate: float | None = None
    """Of every network; each one's own unless given."""
    precision: Literal["float32", "float64"] = "float32"
    seeds: int = 1
    """How many train each network, from --seed on; figures are their means."""
    sweep: tuple[str, ...] = ()
    """learning_rate=VALUE,VALUE,...: learning rates to train each network with."""


def run(config: Config) -> Record:
    """Train each network both ways, piece by piece, and write the run folder.

    Raises:
        ValueError: for a sweep that is none.
    """
    grid = grid_of(config.sweep, config)
    with recording(
        "hand_gradients",
        config,
        "Gradients by hand",
        "Each network of the lecture trained twice from the same parameters: with the gradients "
        "that the lecture derives, and with automatic differentiation.",
    ) as record:
        rows: list[tuple[Any, ...]] = []
        rate = ("Learning rate",) if grid[0] else ()
        columns = ("Network", *rate, "Data", "Steps", "Step, automatic (ms)", "Step, by hand (ms)",
                   "Ratio")  # fmt: skip
        record.add_table("Medians of the pieces; ratios pair by pair", columns, rows)
        for name, (data, experiment) in NETWORKS.items():
            with record.timed("data"):
                source = obtain(data, config.data)
                train = jax.device_put(examples(source.dataset.train))
            kind = "embedded" if source.dataset.info.embedded else "real"
            task, batch_size = _task_of(experiment, config, grid)
            for point in grid:
                with jax.enable_x64(config.precision == "float64"), record.timed("training"):
                    races = [
                        race(
                            task, train, num_epochs=config.num_epochs, batch_size=batch_size,
                            key=jax.random.key(seed), point=point, precision=config.precision,
                        )
                        for seed in range(config.seed, config.seed + config.seeds)
                    ]  # fmt: skip
                ratio = _add_figures(record, config, name, point, races)
                step = 1e3 * np.mean([each.step_seconds() for each in races], axis=0)
                rates = (f"{value:g}" for value in point.values())
                steps = int(races[0].steps[-1])
                rows.append((name, *rates, f"{kind} {data}", steps, *map(float, step), ratio))
    return record


def _task_of(experiment: ModuleType, config: Config, grid: Grid) -> tuple[Task, int]:
    """Return what is trained, its learning rate data where it is swept, and the batch size."""
    settings = experiment.Config()
    if config.learning_rate is not None:
        settings = replace(settings, learning_rate=config.learning_rate)
    task = experiment.task_of(settings)
    if grid[0]:
        injected = optax.inject_hyperparams(task.optimizer_of)
        task = task._replace(optimizer=injected(settings.learning_rate))
    return task, settings.batch_size


def _add_figures(
    record: Record, config: Config, network: str, point: dict[str, float], races: Sequence[Race]
) -> float:
    """Add how far the two were apart, and their curves; return the ratio of their times."""
    name = f"{network}, {label(point)}" if point else network
    bound = BOUNDS[config.precision]
    losses = np.mean([each.losses for each in races], axis=0)
    ratios = [each.ratio() for each in races]
    for figure, values, expected, worst in (
        ("difference of the gradients", [each.gradients_apart for each in races], 0.0, bound),
        ("difference of the losses", [each.losses_apart() for each in races], 0.0, bound),
        ("time by hand / automatic", ratios, 1.0, 1.2),
    ):
        record.add_figure(
            f"{name}: {figure}", values, expected=expected, bound=worst, direction="<=",
            source="the same gradient, by the lecture's formulas",
        )  # fmt: skip
    most = [float(each.on_the_way().max()) for each in races]
    record.add_figure(f"  losses apart on the way, at most ({name})", most)
    path = record.folder / f"{'-'.join([network, *map(str, point.values())])}.png"
    curves: dict[str, np.ndarray] = dict(zip(WAYS, losses, strict=True))
    record.pictures.append(report.plot_loss_curves(races[0].steps, curves, path, title=name))
    return float(np.mean(ratios))


if __name__ == "__main__":
    main("hand_gradients", Config, run)
