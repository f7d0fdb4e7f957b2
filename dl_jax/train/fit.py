"""Training with the epochs on the host: progress, callbacks, a history as it grows."""

import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import jax
import numpy as np
import optax
from flax import linen as nn
from jax.sharding import Mesh
from jaxtyping import Array, Key

from dl_jax.backprop import Network
from dl_jax.losses import Objective
from dl_jax.train.begin import begin
from dl_jax.train.checks import check_start, check_totals
from dl_jax.train.epoch import NonFinite, epoch_order, train_batches, zero_totals
from dl_jax.train.mesh import copied, put
from dl_jax.train.nonfinite import NonFiniteError, are_finite, cause, learned, place_in
from dl_jax.train.pieces import on_devices, pieces_of, steps_a_call
from dl_jax.train.processes import check_alike, digest
from dl_jax.train.progress import progress_bar
from dl_jax.train.state import Examples, TrainState, init_state, streams
from dl_jax.train.step import Metrics, evaluate
from dl_jax.train.whole_run import Data, Schedule, prepared

Row = dict[str, float]
Callback = Callable[[int, Row], None]


class Checkpoint(NamedTuple):
    """How far a run is: all that `fit` needs to go on from there as if it had never stopped.

    Attributes:
        state: whose `step` says which epoch and which batch come next; or those of many members.
        totals: sums over the examples of the epoch that has begun, by metric; `{}` between epochs.
        history: the rows of the epochs that are over; of many members, those of each epoch.
        seconds: of training that no row has, as that of the epoch that has begun.
    """

    state: TrainState
    totals: Metrics = {}  # noqa: RUF012
    history: Sequence[Row] = ()
    seconds: float = 0.0

    @property
    def step(self) -> int:
        """Updates so far; of many members, those of each."""
        return int(np.asarray(self.state.step).max())  # of an array of JAX it were a program


class Fit(NamedTuple):
    """What `fit` returns.

    Attributes:
        state: after the last epoch.
        history: a row an epoch: `epoch` (from 1), `loss` and the objective's metrics, with
            validation data `val_loss` and so on, `seconds` of training and `val_seconds`; where
            updates may be left out `skipped`, how many were: the means are over the others.
        compile_seconds: how long initialising and compiling took, which no row contains.
    """

    state: TrainState
    history: list[Row]
    compile_seconds: float


def fit(
    model: nn.Module,
    objective: Objective,
    optimizer: optax.GradientTransformation,
    train: Examples,
    *,
    num_epochs: int,
    batch_size: int,
    key: Key[Array, ""],
    validation: Examples | None = None,
    callbacks: Sequence[Callback] = (),
    progress: bool = True,
    by_hand: Network | None = None,
    start: Checkpoint | None = None,
    checkpoint: Callable[[Checkpoint], None] | None = None,
    checkpoint_every: int | None = None,
    mesh: Mesh | None = None,
    nonfinite: NonFinite = "stop",
) -> Fit:
    """Train; the same key gives the run that `make_train` gives, to rounding.

    It takes every device, and of several processes each must call it alike: the batches are
    shared among the devices, and the run is that of one device, to rounding. Callbacks are called
    in every process; the state lies on all devices, whole unless the mesh has a `model` axis.

    Weights that are already there, of another task or of a file, are a `start` whose `step` is 0:
    `Checkpoint(TrainState(jnp.zeros((), jnp.int32), params, model_state, optimizer.init(params)))`.

    Args:
        model: a Flax module.
        objective: what is minimised.
        optimizer: an optax optimizer.
        train: the training examples; examples are drawn in a new order each epoch, and the last
            batch, which may be shorter, is kept.
        num_epochs: how many times each example is seen.
        batch_size: examples a step.
        key: from which all randomness comes.
        validation: examples to evaluate after each epoch.
        callbacks: called after each epoch with its number, from 1, and its row of the history.
        progress: whether to show a progress bar on a terminal.
        by_hand: as in `train_step`.
        start: from where to go on, instead of from new parameters; the same key must be given.
            It stays as it is.
        checkpoint: called after each epoch, and within it between the calls of the compiled
            program, with how far the run is. The next call takes the state's memory: what is to
            be kept has to be copied or written before this returns. What it raises ends the run.
        checkpoint_every: within an epoch, calls it behind each multiple of so many steps; calls
            come behind each twentieth of an epoch too.
        mesh: the devices, by `device_mesh`; unless given all of them, or `jax.default_device`.
        nonfinite: whether a loss or parameters that are not finite end the run, or "skip": such
            an update is left out. A loss ends it behind the call that met it, parameters at the
            end of the epoch: of a checkpoint within it they are to be looked at.

    Raises:
        ValueError: if data, model and settings do not fit each other, a batch does not divide
            over the devices, or processes were called with different data or settings.
        NonFiniteError: unless they are skipped; names step, epoch and layer.
    """
    train = Examples(*train)
    validation = validation and Examples(*validation)
    size = len(train.inputs)
    one = train.inputs[:1]  # of an array of the host: a slice on the device is a program
    if jax.process_count() > 1:
        check_alike(
            {
                "num_epochs": str(num_epochs),
                "batch_size": str(batch_size),
                "training data": digest(train),
                "validation data": digest(validation),
                "key": digest(key),
                "start": digest(start and start[:2]),
                "nonfinite": nonfinite,
                "checkpoint_every": str(checkpoint_every),
            }
        )
    schedule = Schedule(num_epochs, batch_size, nonfinite)
    data = Data(train, validation)
    plan = prepared(model, objective, optimizer, data, schedule, by_hand, mesh)
    mesh = plan.mesh
    train, validation = on_devices(train, mesh), put(validation, mesh, whole=True)

    whole, rest = divmod(size, batch_size)
    steps = whole + bool(rest)
    started = time.perf_counter()
    if start is None:
        state, order_key, noise = begin(plan, Data(train, validation), key, one)
        start = Checkpoint(state)
    else:
        check_start(jax.eval_shape(partial(init_state, model, optimizer), key, one), start.state)
        check_totals(start.step % steps, start.totals, nonfinite)
        state = copied(start.state)  # the program takes its argument's memory
        _, order_key, noise = streams(key)
    zeros = zero_totals(model, objective, state, train, nonfinite)
    if mesh is not None:
        state, zeros, order_key, noise = put((state, zeros, order_key, noise), mesh)
        start = start._replace(totals=put(start.totals, mesh))
    first_epoch, done = divmod(start.step, steps)
    run = partial(
        train_batches, model, objective, optimizer, by_hand=by_hand, mesh=mesh, nonfinite=nonfinite
    )
    judge = partial(evaluate, model, objective, mesh=mesh)

    order = epoch_order(order_key, first_epoch, size)
    batches, last = pieces_of(train, order, batch_size, mesh)
    totals = copied(zeros)
    for piece, length in ((batches, batch_size), (last, rest))[: 1 + bool(rest)]:
        state, totals = run(state, totals, *piece[:2], noise, 0, 0, batch_size=length)

    def one_step(state: TrainState, totals: Metrics) -> tuple[TrainState, Metrics, Examples]:
        at = int(state.step) % steps * batch_size
        length = min(batch_size, size - at)
        batch = Examples(*(a[np.asarray(order[at : at + length])] for a in train))
        piece, first = (batches, at) if length == batch_size else (last, last.first)
        made = run(state, totals, *piece[:2], noise, first, 1, batch_size=length)
        return *made, batch

    if nonfinite == "stop" and not are_finite((totals["loss"], learned(state))):
        raise NonFiniteError(int(state.step), first_epoch + 1, place_in(state) or "the state")
    if validation is not None:
        jax.block_until_ready(judge(state, validation))
    compile_seconds = time.perf_counter() - started

    history = list(start.history)
    seen = first_epoch * size + done * batch_size
    with progress_bar(num_epochs, size, show=progress, seen=seen) as advance:
        for epoch in range(first_epoch, num_epochs):
            started = time.perf_counter() - (start.seconds if done else 0.0)
            order = epoch_order(order_key, epoch, size)
            batches, last = pieces_of(train, order, batch_size, mesh)
            # Nothing was skipped where the totals of a run that skips are taken by one that stops.
            found = {k: v for k, v in start.totals.items() if k in zeros} if done else {}
            totals = copied(zeros | found)
            begun = copied((state, totals)) if nonfinite == "stop" else (state, totals)
            step, behind = done, epoch * steps
            while step < whole:
                count = steps_a_call(step, whole, behind, checkpoint_every)
                state, totals = run(
                    state, totals, *batches[:2], noise, step * batch_size, count,
                    batch_size=batch_size,
                )  # fmt: skip
                jax.block_until_ready(totals)
                if nonfinite == "stop" and not np.isfinite(totals["loss"]):
                    raise cause(model, begun, one_step, epoch + 1, noise, behind + step + count)
                step += count
                advance(count * batch_size, totals, step * batch_size)
                if checkpoint is not None and step < steps:
                    seconds = time.perf_counter() - started
                    checkpoint(Checkpoint(state, totals, history, seconds))
            if rest:
                state, totals = run(state, totals, *last[:2], noise, last.first, 1, batch_size=rest)
                advance(rest, totals, size)
            if nonfinite == "stop" and not are_finite((totals["loss"], learned(state))):
                raise cause(model, begun, one_step, epoch + 1, noise, behind + steps)
            done = 0
            row = {"epoch": epoch + 1, **_means(totals, size)}
            row["seconds"] = time.perf_counter() - started
            if validation is not None:
                started = time.perf_counter()
                figures = _means(judge(state, validation), 1)
                row |= {f"val_{name}": figure for name, figure in figures.items()}
                row["val_seconds"] = time.perf_counter() - started
            history.append(row)
            for callback in callbacks:
                callback(epoch + 1, row)
            if checkpoint is not None:
                checkpoint(Checkpoint(state, {}, history))
    return Fit(state, history, compile_seconds)


def _means(totals: Metrics, size: int) -> Row:
    """The means over the examples whose updates were made, and how many updates were not."""
    sums = {name: float(total) for name, total in totals.items()}
    size -= int(sums.pop("left_out", 0))
    skipped = {"skipped": int(sums.pop("skipped"))} if "skipped" in sums else {}
    return {name: total / size if size else math.nan for name, total in sums.items()} | skipped
