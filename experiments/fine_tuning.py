"""LeNet-5 learns the digits 0 to 4, and with what it has seen then 5 to 9 from a few of them.

    python -m experiments.fine_tuning
    python -m experiments.fine_tuning --seeds 5 --sweep learning_rate=3e-4,1e-3,3e-3

The first network trains on all images of 0 to 4. For 5 to 9 there are few, from which four others
learn: one from new parameters, and three from the first one's, of which the last layer, the three
layers of neurons or all layers are trained. What is frozen gets no gradient: XLA leaves out what
would compute it. The output layer is new in each.
Expected: layers that are frozen keep every bit; with frozen convolutions the test accuracy is
higher than from new parameters.
"""

import math
from dataclasses import dataclass

import jax
import numpy as np
import optax

from dl_jax import report
from dl_jax.losses import MULTICLASS
from dl_jax.train import Examples, Schedule, TrainState
from dl_jax.train.nonfinite import are_finite, learned
from experiments import training
from experiments.fine_tuned import MODEL, VARIANTS, beginnings, change, of_digits, tune
from experiments.grid import Grid, grid_of, label
from experiments.options import Options, main
from experiments.record import Record
from experiments.recording import recording
from experiments.sources import examples, obtain
from experiments.training import Task

FIRST_LEARNING_RATE = 1e-3
COMPARED = ("the layers of neurons", "from new parameters")
"""What the gain is of, and over what."""


@dataclass(frozen=True)
class Config(Options):
    """LeNet-5 on digits 0 to 4, then on a few of 5 to 9."""

    num_examples: int = 100
    """Of the digits 5 to 9, all together."""
    num_epochs: int = 60
    """On them; on the digits 0 to 4 there are 3."""
    batch_size: int = 16
    learning_rate: float = 1e-3
    """On them; on the digits 0 to 4 it is 0.001."""
    seeds: int = 1
    """How many are trained in one program, from --seed on; figures are their means."""
    sweep: tuple[str, ...] = ()
    """learning_rate=VALUE,VALUE,...: learning rates on them, all in one program."""


def run(config: Config) -> Record:
    """Train the first networks and the others, and write the run folder.

    Raises:
        ValueError: if there are fewer examples than asked for, or the sweep is none.
    """
    grid = grid_of(config.sweep, config)
    with recording(
        "fine_tuning",
        config,
        "Fine-tuning",
        f"LeNet-5 knows the digits 0 to 4 and learns 5 to 9 from {config.num_examples} images.",
    ) as record:
        with record.timed("data"):
            source = obtain("mnist", config.data)
            train, test = examples(source.dataset.train), examples(source.dataset.test)
        record.add_data(source)
        low, high = of_digits(train, 0), of_digits(train, 5)
        if not config.batch_size <= config.num_examples <= len(high.targets):
            raise ValueError(
                f"num_examples: expected from {config.batch_size}, a batch, to "
                f"{len(high.targets)}, got {config.num_examples}"
            )
        few = Examples(*(a[: config.num_examples] for a in high))
        rows: list[tuple[str, float, int, int, float]] = []
        columns = ("trained", "learning rate", "parameters", "seed", "test accuracy")
        record.add_table(f"Digits 5 to 9 from {config.num_examples} images", columns, rows)
        first = training.train(
            record, Task(MODEL, MULTICLASS, optax.adam(FIRST_LEARNING_RATE)), low, num_epochs=3,
            batch_size=128, seed=config.seed, seeds=config.seeds, validation=of_digits(test, 0),
        ).members  # fmt: skip
        seeds = range(config.seed, config.seed + config.seeds)
        accuracies: dict[str, list[list[float]]] = {}
        changes: list[float] = []
        for variant in VARIANTS:
            begun = beginnings(variant, seeds, first, few)
            tuned = tune(
                record, variant, begun, few, Schedule(config.num_epochs, config.batch_size),
                seeds=seeds, grid=grid, learning_rate=config.learning_rate,
            )  # fmt: skip
            ends = [fit.state for fit in tuned]
            each = [_accuracy(record, state, of_digits(test, 5)) for state in ends]
            accuracies[variant.name] = np.reshape(each, (len(grid), -1)).tolist()
            pairs = zip(begun * len(grid), ends, strict=True)
            changes += [change(variant, before, after) for before, after in pairs]
            size = sum(a.size for k in variant.trained for a in jax.tree.leaves(begun[0][k]))
            for point, mine in zip(grid, accuracies[variant.name], strict=True):
                rate = point.get("learning_rate", config.learning_rate)
                print(f"{variant.name}, {rate:g}: test accuracy {np.mean(mine):.4f}", flush=True)
                rows += [
                    (variant.name, rate, size, seed, accuracy)
                    for seed, accuracy in zip(seeds, mine, strict=True)
                ]
        _add_figures(record, grid, accuracies)
        record.add_figure(
            "largest change of a frozen parameter", max(changes), bound=0.0, direction="<="
        )
    return record


def _accuracy(record: Record, state: TrainState, test: Examples) -> float:
    """The test accuracy; NaN of a network that diverged, all of whose logits name one class."""
    if not are_finite(learned(state)):
        return math.nan
    logits = training.logits_of(record, MODEL, state, test.inputs)
    return training.test_figures(MULTICLASS, logits, test)[1]


def _add_figures(record: Record, grid: Grid, accuracies: dict[str, list[list[float]]]) -> None:
    """Add the test accuracies and the gain; of a sweep the gains, and a table and a picture.

    Raises:
        ValueError: if at each point of the sweep a network diverged.
    """
    finite = [i for i in range(len(grid)) if np.isfinite([a[i] for a in accuracies.values()]).all()]
    if not finite:
        raise ValueError("sweep: a network diverged at each learning rate; sweep smaller ones")
    for i in finite:
        where = f", {label(grid[i])}" if grid[i] else ""
        if len(grid) == 1:
            for name, each in accuracies.items():
                record.add_figure(f"test accuracy, {name}{where}", each[i])
        pairs = zip(*(accuracies[name][i] for name in COMPARED), strict=True)
        # At a learning rate that somebody tries there need be no gain.
        record.add_figure(
            f"gain with frozen convolutions{where}", [a - b for a, b in pairs],
            bound=0.0 if len(grid) == 1 else None,
        )  # fmt: skip
    if len(grid) == 1:
        return
    record.add_table(
        "Means over seeds, by learning rate",
        ("trained", *(f"{point['learning_rate']:g}" for point in grid)),
        [(name, *(float(np.mean(values)) for values in each)) for name, each in accuracies.items()],
    )
    lines: dict[str, list[report.Point]] = {}
    for name, each in accuracies.items():
        for i in finite:
            mean, spread = report.mean_and_spread(each[i])
            low, high = (spread["low"], spread["high"]) if spread else (mean, mean)
            point = report.Point(grid[i]["learning_rate"], mean, low, high)
            lines.setdefault(name, []).append(point)
    record.pictures.append(
        report.plot_sweep(
            lines, record.folder / "sweep.png", name="learning_rate", metric="Test accuracy",
            title="Fine-tuning",
        )
    )  # fmt: skip


if __name__ == "__main__":
    main("fine_tuning", Config, run)
