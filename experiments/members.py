"""Several seeds, and several values of a setting, trained as one program."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn

from dl_jax import backprop, report
from dl_jax.losses import Objective
from dl_jax.train import Data, Fit, Schedule, make_ensemble
from dl_jax.train.nonfinite import are_finite, learned
from experiments.grid import Grid
from experiments.record import Record

Rows = list[dict[str, float]]


class Members(NamedTuple):
    """What is trained together: all seeds of the first point of the grid, then of the next.

    Attributes:
        fits: each member's state and history.
        grid: the points.
        num_seeds: members a point.
    """

    fits: list[Fit]
    grid: Grid
    num_seeds: int

    def of_point(self, number: int) -> list[Fit]:
        """Return the members of a point of the grid."""
        return self.fits[number * self.num_seeds : (number + 1) * self.num_seeds]


def train_members(
    model: nn.Module,
    objective: Objective,
    optimizer: optax.GradientTransformation,
    data: Data,
    schedule: Schedule,
    *,
    seeds: Sequence[int],
    grid: Grid,
    by_hand: backprop.Network | None = None,
) -> Members:
    """Train every seed at every point of the grid, as one program.

    Args:
        model: a Flax module.
        objective: what is minimised.
        optimizer: with the swept names as data.
        data: for training and validation.
        schedule: epochs and batch size.
        seeds: each the run that `--seed` gives.
        grid: values by name; `[{}]` where nothing is swept.
        by_hand: the hand derivation to be taken for gradients.
    """
    keys = jnp.stack([jax.random.key(seed) for _ in grid for seed in seeds])
    hyperparams = {
        name: jnp.array([point[name] for point in grid for _ in seeds]) for name in grid[0]
    }
    print(f"{len(keys)} members as one program: their epochs are known at its end", flush=True)
    train = make_ensemble(model, objective, optimizer, data, schedule, by_hand)
    states, histories = train(keys, hyperparams)
    columns = {name: np.asarray(values) for name, values in histories.items()}
    fits = [
        Fit(
            jax.tree.map(lambda a, i=i: a[i], states),
            [
                {"epoch": epoch + 1, **{k: float(v[i, epoch]) for k, v in columns.items()}}
                for epoch in range(schedule.num_epochs)
            ],
            0.0,
        )
        for i in range(len(keys))
    ]
    return Members(fits, grid, len(seeds))


def add_members(record: Record, members: Members, seeds: Sequence[int]) -> None:
    """Write a line of `metrics.jsonl` for each epoch of each member."""
    for number, point in enumerate(members.grid):
        for seed, fit in zip(seeds, members.of_point(number), strict=True):
            for row in fit.history:
                report.append_jsonl(record.folder / "metrics.jsonl", {"seed": seed, **point, **row})


def add_means(record: Record, members: Members, seeds: Sequence[int]) -> Rows:
    """Add the means over seeds and their spread to the record, and return the former."""
    add_members(record, members, seeds)
    means, spreads = report.history_of([fit.history for fit in members.fits])
    record.result["history"], record.result["spread"] = means, spreads
    if record.board:
        for row in means:
            report.add_row(record.board, row)
    for row, spread in zip(means, spreads, strict=True):
        figures = [f"{k} {row[k]:.4f} +-{one['high'] - row[k]:.4f}" for k, one in spread.items()]
        print(f"epoch {row['epoch']:2d}  {'  '.join(figures)}", flush=True)
    return means


def check_finite(members: Members, seeds: Sequence[int]) -> None:
    """Raise a FloatingPointError that names the seeds whose numbers went wrong, if any did.

    The one program of all members cannot stop for one of them: they are looked at when it has
    ended.
    """
    wrong = {
        seed: next((row["epoch"] for row in fit.history if not math.isfinite(row["loss"])), None)
        for seed, fit in zip(seeds, members.of_point(0), strict=True)
        if not (math.isfinite(fit.history[-1]["loss"]) and are_finite(learned(fit.state)))
    }
    if wrong:
        epochs = [epoch for epoch in wrong.values() if epoch]
        where = f", the first of them in epoch {min(epochs):.0f}" if epochs else ""
        some = f"{', '.join(map(str, list(wrong)[:5]))}{', ...' if len(wrong) > 5 else ''}"
        raise FloatingPointError(
            f"{len(wrong)} of {len(seeds)} seeds are not finite{where}: {some}. Alone, with --seed "
            f"{next(iter(wrong))} and without --seeds, a run names the step and the layer; "
            "--nonfinite skip leaves such updates out"
        )
