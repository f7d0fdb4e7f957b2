"""Several seeds, and several values of a setting, trained as one program."""

import math
import time
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

from dl_jax import backprop, report
from dl_jax.losses import Objective
from dl_jax.train import Checkpoint, Data, Fit, Schedule, TrainState, make_ensemble
from dl_jax.train.nonfinite import are_finite, learned
from dl_jax.train.progress import progress_bar
from dl_jax.train.step import Metrics
from experiments.grid import Grid
from experiments.options import Training
from experiments.record import Record
from experiments.resuming import resumable

Rows = list[dict[str, float]]


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
) -> list[Fit]:
    """Train every seed at every point of the grid, some steps of all of them as one program.

    It is kept as a run of one seed is, and a run that is resumed goes on there.

    Args:
        record: of the run, whose options are `Training`; it gets the time.
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

    Returns:
        State and history of each member: all seeds of the first point, then of the next.

    Raises:
        FloatingPointError: for a loss that is not finite, without a sweep, unless it is skipped.
    """
    keys = jnp.stack([jax.random.key(seed) for _ in grid for seed in seeds])
    hyperparams = {
        name: jnp.array([point[name] for point in grid for _ in seeds]) for name in grid[0]
    }
    print(f"{len(keys)} members as one program", flush=True)
    train = make_ensemble(model, objective, optimizer, data, schedule, by_hand)
    rows: Rows = []  # of the first epoch, of all members, then of the next
    size = len(data.train.inputs)
    assert isinstance(record.config, Training)

    def like() -> TrainState:
        return jax.eval_shape(train, keys, hyperparams)[0]

    stops = schedule.nonfinite == "stop" and not grid[0]  # a sweep may have points that diverge

    with resumable(record, like, num_epochs=schedule.num_epochs) as (start, keep):
        if keep_history and record.config.resume:  # a run that is refused has kept what it had
            record.restore([])
        kept, before = (start.history, start.seconds) if start else ([], 0.0)
        record.add_time("training", before)
        started = time.perf_counter() - before
        for i in range(0, len(kept), len(keys)):
            rows += kept[i : i + len(keys)]
            after(int(rows[-1]["epoch"]), rows[i:])
        seen = _examples(start.step, schedule, size) if start else 0

        def behind(epoch: int, columns: Metrics) -> None:
            now = [{k: float(v[i]) for k, v in columns.items()} for i in range(len(keys))]
            if stops:
                check_losses(seeds, [row["loss"] for row in now], epoch)
            rows.extend({"epoch": epoch, **row} for row in now)
            after(epoch, rows[-len(keys) :])

        def between(checkpoint: Checkpoint) -> None:
            nonlocal seen
            before, seen = seen, _examples(checkpoint.step, schedule, size)
            sums = jax.device_get(checkpoint.totals)
            if stops and sums:
                check_losses(seeds, sums["loss"].tolist(), seen // size + 1)
            means = {k: v.mean() for k, v in sums.items()}
            advance(len(keys) * (seen - before), means, seen % size)
            if keep is not None:
                seconds = time.perf_counter() - started
                keep(checkpoint._replace(history=rows, seconds=seconds))

        bar = progress_bar(schedule.num_epochs, len(keys) * size, show=True, seen=len(keys) * seen)
        every = record.config.checkpoint_every
        with record.timed("training"), bar as advance:
            states, _ = train(
                keys, hyperparams, behind, start=start, checkpoint=between, checkpoint_every=every
            )  # fmt: skip
    return [
        Fit(jax.tree.map(lambda a, i=i: a[i], states), rows[i :: len(keys)], 0.0)
        for i in range(len(keys))
    ]


def _examples(step: int, schedule: Schedule, size: int) -> int:
    """How many examples a member has seen."""
    epoch, step = divmod(step, -(-size // schedule.batch_size))
    return epoch * size + step * schedule.batch_size


def add_members(record: Record, seeds: Sequence[int], grid: Grid, rows: Rows) -> None:
    """Write a line of `metrics.jsonl` for an epoch of each member."""
    names = [{"seed": seed, **point} for point in grid for seed in seeds]
    for name, row in zip(names, rows, strict=True):
        report.append_jsonl(record.folder / "metrics.jsonl", {**name, **row})


def add_means(record: Record, seeds: Sequence[int], rows: Rows) -> None:
    """Add an epoch's means over seeds and their spread to the record."""
    add_members(record, seeds, [{}], rows)
    (row,), (spread,) = report.history_of([[row] for row in rows])
    record.result["history"] = [*record.result["history"], row]
    record.result["spread"] = [*record.result.get("spread", ()), spread]
    if record.board:
        report.add_row(record.board, row)
    figures = [f"{k} {row[k]:.4f} +-{one['high'] - row[k]:.4f}" for k, one in spread.items()]
    print(f"epoch {row['epoch']:2.0f}  {'  '.join(figures)}", flush=True)


def check_losses(seeds: Sequence[int], losses: Sequence[float], epoch: int) -> None:
    """Raise a FloatingPointError that names the seeds whose loss is not finite in an epoch."""
    wrong = [s for s, loss in zip(seeds, losses, strict=True) if not math.isfinite(loss)]
    if wrong:
        raise _not_finite("loss", wrong, seeds, f" in epoch {epoch}")


def check_learned(seeds: Sequence[int], fits: Sequence[Fit]) -> None:
    """Raise a FloatingPointError that names the seeds whose parameters are not finite."""
    wrong = [s for s, fit in zip(seeds, fits, strict=True) if not are_finite(learned(fit.state))]
    if wrong:
        raise _not_finite("parameters", wrong, seeds, "")


def _not_finite(
    what: str, wrong: Sequence[int], seeds: Sequence[int], where: str
) -> FloatingPointError:
    some = f"{', '.join(map(str, wrong[:5]))}{', ...' if len(wrong) > 5 else ''}"
    return FloatingPointError(
        f"not finite{where}: the {what} of {len(wrong)} of {len(seeds)} seeds, {some}. Alone, with "
        f"--seed {wrong[0]} and without --seeds, a run names the step and the layer"
    )
