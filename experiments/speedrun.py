"""How fast MNIST is learned to a test accuracy of 0.99: seeds, each timed from key to accuracy.

    python -m experiments.speedrun
    python -m experiments.speedrun --seeds 5 --sweep learning_rate=4e-3,8e-3,1.6e-2

The lecture's convolutional network without dropout, a learning rate that rises and falls again,
and as few epochs as it takes; a run's time begins with the random key and ends with the test
accuracy, compilation and reading the data left out. One compiled program trains all seeds and
learning rates, one after the other, since each is timed.
Expected: a mean test accuracy of at least 0.990 over 20 seeds. The first to publish such a race,
tuomaso/train_mnist_fast, took 0.76 s on a GTX 1660 Ti for a mean of 0.9904.
"""

import math
import time
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from dl_jax.losses import MULTICLASS
from dl_jax.models import create
from dl_jax.train import Data, Schedule, evaluate, make_ensemble
from experiments.grid import grid_of, label
from experiments.options import Options, main
from experiments.record import Record
from experiments.recording import recording
from experiments.sources import examples, obtain
from experiments.sweeps import add_sweep


@dataclass(frozen=True)
class Config(Options):
    """MNIST to 0.99 as fast as possible."""

    seeds: int = 20
    """How many are trained and timed, one after the other."""
    num_epochs: int = 2
    batch_size: int = 128
    learning_rate: float = 8e-3
    """At its peak, a fifth of the way."""
    sweep: tuple[str, ...] = ()
    """learning_rate=VALUE,VALUE,...: peaks to train every seed with."""
    features: tuple[int, ...] = (32, 64)
    """Kernels of each convolution."""


def run(config: Config) -> Record:
    """Train each seed, time it, and write the run folder.

    Raises:
        ValueError: for fewer than two seeds, of which there is no spread, a sweep that is none, or
            one at each of whose points a seed diverged.
    """
    grid = grid_of(config.sweep, config)
    if config.seeds < 2:
        raise ValueError(f"seeds: expected at least 2, got {config.seeds}")
    with recording(
        "speedrun",
        config,
        "MNIST, against the clock",
        "The lecture's convolutional network, trained as briefly as it takes for 99 %.",
    ) as record:
        with record.timed("data"):
            source = obtain("mnist", config.data)
            train, test = jax.device_put(
                (examples(source.dataset.train), examples(source.dataset.test))
            )
        record.add_data(source)
        model = create("mnist_cnn", features=config.features, dropout_rate=0.0)
        record.add_model("mnist_cnn", model, train.inputs.shape[1:], np.float32, outputs=10)
        steps = -(-len(train.targets) // config.batch_size) * config.num_epochs

        def rise_and_fall(learning_rate: float) -> optax.GradientTransformation:
            schedule = optax.linear_onecycle_schedule(
                steps, learning_rate, pct_start=0.2, pct_final=0.7
            )
            return optax.adam(schedule, b2=0.95)

        injected = optax.inject_hyperparams(rise_and_fall) if grid[0] else rise_and_fall
        optimizer = injected(config.learning_rate)
        schedule = Schedule(config.num_epochs, config.batch_size)
        train_from = make_ensemble(model, MULTICLASS, optimizer, Data(train), schedule, loop=True)

        def accuracy_from(key: jax.Array, point: dict[str, float]) -> float:
            hyperparams = {name: jnp.array([value]) for name, value in point.items()}
            states, history = train_from(key[None], hyperparams)
            state = jax.tree.map(lambda a: a[0], states)
            accuracy = float(evaluate(model, MULTICLASS, state, test)["accuracy"])
            return accuracy if np.isfinite(history["loss"]).all() else math.nan

        keys = jax.random.split(jax.random.key(config.seed), config.seeds + 1)
        with record.timed("compilation"):  # and a first run, which is not counted
            accuracy_from(keys[-1], grid[0])
        rows: list[tuple[Any, ...]] = []
        names = [name.replace("_", " ") for name in grid[0]]
        columns = (*map(str.capitalize, names), "Seed", "Test accuracy", "Seconds")
        record.add_table("Each seed", columns, rows)
        runs: list[dict[str, float]] = []
        for point in grid:
            for i, key in enumerate(keys[:-1]):
                started = time.perf_counter()
                accuracy = accuracy_from(key, point)
                seconds = time.perf_counter() - started
                runs.append({"test_accuracy": accuracy, "seconds": seconds})
                rows.append(
                    (*(f"{value:g}" for value in point.values()), str(i), *runs[-1].values())
                )
                record.add_time("training", seconds)
                where = f"{label(point)}, " if point else ""
                print(f"{where}seed {i:2d}  accuracy {accuracy:.4f}  {seconds:.2f} s", flush=True)
        if grid[0]:
            add_sweep(record, grid, runs)
        else:
            _add_figures(record, runs)
    return record


def _add_figures(record: Record, runs: list[dict[str, float]]) -> None:
    """Add means and standard deviations over the seeds."""
    accuracies, times = zip(*(one.values() for one in runs), strict=True)
    record.add_figure(
        "mean test accuracy",
        float(np.mean(accuracies)),
        expected=0.9904,
        bound=0.99,
        source="tuomaso/train_mnist_fast",
    )
    record.add_figure("  standard deviation over seeds", float(np.std(accuracies, ddof=1)))
    record.add_figure("mean seconds", float(np.mean(times)), direction="<=")
    record.add_figure("  standard deviation over runs", float(np.std(times, ddof=1)))


if __name__ == "__main__":
    main("speedrun", Config, run)
