"""Several seeds, and several values of a setting, trained as one program."""

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn

from dl_jax import backprop
from dl_jax.losses import Objective
from dl_jax.train import Checkpoint, Data, Fit, Schedule, TrainState, fit, make_ensemble
from dl_jax.train.mesh import copied
from dl_jax.train.nonfinite import are_finite, learned
from dl_jax.train.progress import progress_bar
from dl_jax.train.step import Metrics
from experiments import diverging
from experiments.grid import Grid
from experiments.member_rows import Rows
from experiments.options import Training
from experiments.record import Record
from experiments.resuming import Kept, resumable


def train_members(
    record: Record,
    model: nn.Module,
    objective: Objective,
    optimizer: optax.GradientTransformation,
    data: Data,
    schedule: Schedule,
    *,
    seeds: Sequence[int],
    grid: Grid,
    after: Callable[[int, Rows], None],
    by_hand: backprop.Network | None = None,
    keep_history: bool = True,
    start: Checkpoint | None = None,
) -> list[Fit]:
    """Train every seed at every point of the grid, some steps of all of them as one program.

    A run whose options are `Training` is kept as one of one seed is, and goes on where it was kept
    if it is resumed, unless it has a start of its own.

    Args:
        record: of the run; it gets the time.
        model: a Flax module.
        objective: what is minimised.
        optimizer: with the swept names as data.
        data: for training and validation.
        schedule: epochs and batch size.
        seeds: each the run that `--seed` gives.
        grid: values by name; `[{}]` where nothing is swept.
        after: called behind each epoch with its number, from 1, and a row of each member; of a
            run that is resumed first with those that are over.
        by_hand: the hand derivation to be taken for gradients.
        keep_history: whether `after` adds to the record's, which then begins anew.
        start: states that the members begin with, of each its own.

    Returns:
        State and history of each member: all seeds of the first point, then of the next.

    Raises:
        FloatingPointError: for a loss or parameters that are not finite, without a sweep, unless
            they are skipped.
    """
    keys = jnp.stack([jax.random.key(seed) for _ in grid for seed in seeds])
    hyperparams = {
        name: jnp.array([point[name] for point in grid for _ in seeds]) for name in grid[0]
    }
    print(f"{len(keys)} members as one program", flush=True)
    train = make_ensemble(model, objective, optimizer, data, schedule, by_hand)
    rows: Rows = []  # of the first epoch, of all members, then of the next
    size = len(data.train.inputs)
    config = record.config if start is None and isinstance(record.config, Training) else Training()

    def like() -> TrainState:
        return jax.eval_shape(train, keys, hyperparams)[0]

    stops = schedule.nonfinite == "stop" and not grid[0]  # a sweep may have points that diverge

    keeping = resumable(record, like, num_epochs=schedule.num_epochs)
    with keeping if config is record.config else nullcontext(Kept(start, None)) as (start, keep):
        if keep_history and config.resume:  # a run that is refused has kept what it had
            record.restore([])
        kept, before = (start.history, start.seconds) if start else ([], 0.0)
        record.add_time("training", before)
        started = time.perf_counter() - before
        for i in range(0, len(kept), len(keys)):
            rows += kept[i : i + len(keys)]
            after(int(rows[-1]["epoch"]), rows[i:])
        seen = _examples(start.step, schedule, size) if start else 0
        begun = start and Checkpoint(*start[:2])
        ended: Metrics = {}  # of all members, the row of an epoch whose parameters are to be seen

        def alone(i: int, epoch: int) -> object:
            """Train a member again, from where its epoch began to the epoch's end."""
            return fit(
                model, objective, optimizer, data.train, num_epochs=epoch,
                batch_size=schedule.batch_size, key=keys[i], by_hand=by_hand, progress=False,
                start=begun and Checkpoint(*_member(begun[:2], i)),
            )  # fmt: skip

        def check(finite: Sequence[bool], what: str, epoch: int) -> None:
            wrong = [i for i, one in enumerate(finite) if not one]
            if stops and wrong:
                raise diverging.cause(what, wrong, seeds, epoch, partial(alone, wrong[0], epoch))

        def behind(_: int, columns: Metrics) -> None:
            ended.update(columns)

        def end_epoch(states: TrainState, epoch: int) -> None:
            nonlocal begun
            check(np.isfinite(ended["loss"]).tolist(), "loss", epoch)
            if stops and not are_finite(learned(states)):
                each = [are_finite(_member(learned(states), i)) for i in range(len(keys))]
                check(each, "parameters", epoch)
            begun = None  # before there are two
            begun = Checkpoint(copied(states)) if stops and epoch < schedule.num_epochs else None
            now = ({k: float(v[i]) for k, v in ended.items()} for i in range(len(keys)))
            rows.extend({"epoch": epoch, **row} for row in now)
            after(epoch, rows[-len(keys) :])

        def between(checkpoint: Checkpoint) -> None:
            nonlocal seen
            before, seen = seen, _examples(checkpoint.step, schedule, size)
            sums = jax.device_get(checkpoint.totals)
            if sums:
                check(np.isfinite(sums["loss"]).tolist(), "loss", seen // size + 1)
            else:
                end_epoch(checkpoint.state, seen // size)
            means = {k: v.mean() for k, v in sums.items()}
            advance(len(keys) * (seen - before), means, seen % size)
            if keep is not None:
                seconds = time.perf_counter() - started
                keep(checkpoint._replace(history=rows, seconds=seconds))

        bar = progress_bar(schedule.num_epochs, len(keys) * size, show=True, seen=len(keys) * seen)
        every = config.checkpoint_every
        with record.timed("training"), bar as advance:
            states, _ = train(
                keys, hyperparams, behind, start=start, checkpoint=between, checkpoint_every=every
            )  # fmt: skip
    return [Fit(_member(states, i), rows[i :: len(keys)], 0.0) for i in range(len(keys))]


def _member(tree: Any, i: int) -> Any:
    """What member i has of a tree of all members."""
    return jax.tree.map(lambda a: a[i], tree)


def _examples(step: int, schedule: Schedule, size: int) -> int:
    """How many examples a member has seen."""
    epoch, step = divmod(step, -(-size // schedule.batch_size))
    return epoch * size + step * schedule.batch_size
