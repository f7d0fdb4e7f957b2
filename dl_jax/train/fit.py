"""Training with the epochs on the host: progress, callbacks, a history as it grows."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from jax.sharding import Mesh
from jaxtyping import Array, Key

from dl_jax.backprop import Network
from dl_jax.losses import Objective
from dl_jax.ops.compile_once import compile_once
from dl_jax.train.checks import check_by_hand, check_examples, check_schedule, check_start
from dl_jax.train.epoch import epoch_order, train_batches, zero_totals
from dl_jax.train.mesh import check_batch, default_mesh, put
from dl_jax.train.processes import check_alike, digest
from dl_jax.train.progress import progress_bar
from dl_jax.train.state import Examples, TrainState, init_state, streams
from dl_jax.train.step import Metrics, evaluate

Row = dict[str, float]
Callback = Callable[[int, Row], None]
_CALLS_AN_EPOCH = 20  # between which the progress bar moves, and Ctrl-C is heard


class Checkpoint(NamedTuple):
    """How far a run is: all that `fit` needs to go on from there as if it had never stopped.

    Attributes:
        state: whose `step` says which epoch and which batch come next.
        totals: sums over the examples of the epoch that has begun, by metric; `{}` between epochs.
        history: the rows of the epochs that are over.
    """

    state: TrainState
    totals: Metrics = {}  # noqa: RUF012
    history: Sequence[Row] = ()


class Fit(NamedTuple):
    """What `fit` returns.

    Attributes:
        state: after the last epoch.
        history: a row an epoch: `epoch` (from 1), `loss` and the objective's metrics, with
            validation data `val_loss` and so on, `seconds` of training and `val_seconds`.
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
        checkpoint_every: steps between two of its calls within an epoch, at most; unless given, a
            twentieth of the epoch.
        mesh: the devices, by `device_mesh`; unless given all of them, or `jax.default_device`.

    Raises:
        ValueError: if data, model and settings do not fit each other, a batch does not divide
            over the devices, or processes were called with different data or settings.
    """
    train = Examples(*train)
    validation = validation and Examples(*validation)
    size = len(train.inputs)
    check_examples(model, objective, train, "training data")
    check_schedule(num_epochs, batch_size, size)
    mesh = default_mesh() if mesh is None else mesh
    check_batch(batch_size, mesh)
    if by_hand is not None:
        check_by_hand(model, objective, by_hand, train)
    if validation is not None:
        check_examples(model, objective, validation, "validation data", like=train)
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
            }
        )
    train, validation = put((train, validation), mesh, whole=True)

    started = time.perf_counter()
    if start is None:
        begin = compile_once(_start, static_argnames=("model", "optimizer"))
        state, order_key, noise = begin(model, optimizer, key, one)
        start = Checkpoint(state)
    else:
        check_start(model, optimizer, start.state, one)
        state = jax.tree.map(jnp.copy, start.state)  # the program takes its argument's memory
        _, order_key, noise = streams(key)
    zeros = zero_totals(model, objective, state, train)
    if mesh is not None:
        state, zeros, order_key, noise = put((state, zeros, order_key, noise), mesh)
        start = start._replace(totals=put(start.totals, mesh))
    whole, rest = divmod(size, batch_size)
    first_epoch, done = divmod(int(state.step), whole + bool(rest))
    run = partial(train_batches, model, objective, optimizer, by_hand=by_hand, mesh=mesh)
    judge = partial(evaluate, model, objective, mesh=mesh)

    order = epoch_order(order_key, 0, size)
    totals = jax.tree.map(jnp.copy, zeros)
    for piece in (batch_size, rest) if rest else (batch_size,):
        state, totals = run(state, totals, train, order, noise, 0, 0, batch_size=piece)
    if validation is not None:
        jax.block_until_ready(judge(state, validation))
    compile_seconds = time.perf_counter() - started

    history = list(start.history)
    a_call = min(-(-whole // _CALLS_AN_EPOCH), checkpoint_every or whole)
    seen = first_epoch * size + done * batch_size
    with progress_bar(num_epochs, size, show=progress, seen=seen) as advance:
        for epoch in range(first_epoch, num_epochs):
            started = time.perf_counter()
            order = epoch_order(order_key, epoch, size)
            totals = jax.tree.map(jnp.copy, (done and start.totals) or zeros)
            for step in range(done, whole, a_call):
                count = min(a_call, whole - step)
                state, totals = run(
                    state, totals, train, order, noise, step * batch_size, count,
                    batch_size=batch_size,
                )  # fmt: skip
                jax.block_until_ready(totals)
                advance(count * batch_size, totals, (step + count) * batch_size)
                if checkpoint is not None and step + count < whole + bool(rest):
                    checkpoint(Checkpoint(state, totals, history))
            if rest:
                state, totals = run(
                    state, totals, train, order, noise, size - rest, 1, batch_size=rest
                )
                advance(rest, totals, size)
            done = 0
            row = {"epoch": epoch + 1, **_floats(totals, size)}
            row["seconds"] = time.perf_counter() - started
            if validation is not None:
                started = time.perf_counter()
                figures = _floats(judge(state, validation), 1)
                row |= {f"val_{name}": figure for name, figure in figures.items()}
                row["val_seconds"] = time.perf_counter() - started
            history.append(row)
            for callback in callbacks:
                callback(epoch + 1, row)
            if checkpoint is not None:
                checkpoint(Checkpoint(state, {}, history))
    return Fit(state, history, compile_seconds)


def _start(model, optimizer, key, inputs):
    """The state before the first step and the other streams, as one program instead of five."""
    init, order_key, noise = streams(key)
    return init_state(model, optimizer, init, inputs), order_key, noise


def _floats(figures: Metrics, size: int) -> Row:
    return {name: float(figure) / size for name, figure in figures.items()}
