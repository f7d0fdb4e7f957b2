"""A sweep: the same training with several values of a setting, as one program."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import optax

from dl_jax import report
from dl_jax.models.precision import with_mixed_precision
from dl_jax.train import Data, Examples, Schedule
from experiments.grid import Grid, grid_of, label
from experiments.member_rows import Rows, add_members
from experiments.members import train_members
from experiments.record import Record
from experiments.training import Task

Figures = dict[str, tuple[float, report.Spread | None]]


def sweep(
    record: Record,
    config: Any,
    task: Task,
    examples: Examples,
    *,
    num_epochs: int,
    validation: Examples | None = None,
) -> None:
    """Train every seed at every point of `config.sweep`, and add table, picture and the best.

    Args:
        record: of the run.
        config: of an experiment that trains.
        task: what is trained; its `optimizer_of` takes the learning rate.
        examples: to train on.
        num_epochs: of each member.
        validation: held out.
    """
    grid = grid_of(config.sweep, config)
    optimizer = task.optimizer
    if "learning_rate" in grid[0]:
        assert task.optimizer_of is not None
        injected = optax.inject_hyperparams(task.optimizer_of)
        optimizer = injected(learning_rate=grid[0]["learning_rate"])
    seeds = range(config.seed, config.seed + config.seeds)
    newest: Rows = []

    def after(epoch: int, rows: Rows) -> None:
        newest[:] = rows
        add_members(record, seeds, grid, rows)
        finite = [row["loss"] for row in rows if np.isfinite(row["loss"])]
        ends = f"{min(finite):.4f} to {max(finite):.4f}" if finite else "-"
        wrong = len(rows) - len(finite)
        rest = f", {wrong} of {len(rows)} not finite" if wrong else ""
        print(f"epoch {epoch:2d}  loss {ends}{rest}", flush=True)

    try:
        fits = train_members(
            record,
            with_mixed_precision(task.model, config.precision),
            task.objective,
            optimizer,
            Data(examples, validation),
            Schedule(num_epochs, config.batch_size, config.nonfinite),
            seeds=seeds,
            grid=grid,
            after=after,
            by_hand=task.by_hand if getattr(config, "gradients", "") == "hand" else None,
        )
    except BaseException:
        if newest:  # what the page of a run that was interrupted can show
            _add_table(record, grid, newest, f"After epoch {newest[0]['epoch']:.0f}")
        raise
    add_sweep(record, grid, [fit.history[-1] for fit in fits])


def add_sweep(record: Record, grid: Grid, rows: Rows) -> None:
    """Add the table of a sweep, its picture, and which point did best.

    Args:
        record: of the run.
        grid: the points.
        rows: what each member came to: all seeds of the first point, then of the next. The test
            accuracy counts, or the validation's, or the loss.

    Raises:
        ValueError: if there is no point at which every seed stayed finite.
    """
    last, both = _add_table(record, grid, rows, "After the last epoch")
    metric = next(k for k in ("test_accuracy", "val_accuracy", "val_loss", "loss") if k in both[0])
    means = np.array([figures[metric][0] for figures in both])
    means = np.where(np.isfinite(means), means, np.nan)
    if not np.isfinite(means).any():
        raise ValueError("sweep: at each point a seed diverged; sweep smaller values")
    best = int((np.nanargmax if "accuracy" in metric else np.nanargmin)(means))
    values = [row[metric] for row in last[best]]
    point = grid[best]
    record.add_figure(f"best {_words(metric)}: {label(point)}", values)
    _draw(record, grid, [figures[metric] for figures in both], _words(metric))


def _add_table(
    record: Record, grid: Grid, rows: Rows, when: str
) -> tuple[list[Rows], list[Figures]]:
    """Add the table of an epoch's rows; return them and their figures, point by point."""
    number = len(rows) // len(grid)
    each = [rows[i : i + number] for i in range(0, len(rows), number)]
    both = [
        {k: report.mean_and_spread([row[k] for row in one]) for k in one[0] if k != "epoch"}
        for one in each
    ]
    record.add_table(
        f"{when}; mean of {number} seeds with half of its 95 % interval" if number > 1 else when,
        [*(_words(name) for name in grid[0]), *_columns(both[0])],
        [
            [*(f"{value:g}" for value in point.values()), *_cells(figures)]
            for point, figures in zip(grid, both, strict=True)
        ],
    )
    return each, both


def _draw(
    record: Record,
    grid: Grid,
    figures: Sequence[tuple[float, report.Spread | None]],
    metric: str,
) -> None:
    name, *others = grid[0]
    lines: dict[str, list[report.Point]] = {}
    for point, (mean, spread) in zip(grid, figures, strict=True):
        low, high = (spread["low"], spread["high"]) if spread else (mean, mean)
        line = lines.setdefault(label({other: point[other] for other in others}), [])
        line.append(report.Point(point[name], mean, low, high))
    path, title = record.folder / "sweep.png", record.result["title"]
    record.pictures.append(
        report.plot_sweep(lines, path, name=name, metric=metric.capitalize(), title=title)
    )


def _columns(figures: Figures) -> list[str]:
    return [
        column
        for name, (_, spread) in figures.items()
        for column in ((_words(name), "±") if spread else (_words(name),))
    ]


def _cells(figures: Figures) -> list[float]:
    return [
        cell
        for mean, spread in figures.values()
        for cell in ((mean, spread["high"] - mean) if spread else (mean,))
    ]


def _words(name: str) -> str:
    return name.replace("val_", "validation ").replace("_", " ")
