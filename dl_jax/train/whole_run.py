"""A whole training run as one pure function of a key."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from jax import lax
from jax.sharding import Mesh
from jaxtyping import Array, Float, Int, Key

from dl_jax.backprop import Network
from dl_jax.losses import Objective
from dl_jax.train.checks import check_by_hand, check_examples, check_schedule
from dl_jax.train.epoch import NonFinite, epoch_order, train_batches, zero_totals
from dl_jax.train.hyperparams import Hyperparams, with_hyperparams
from dl_jax.train.mesh import check_batch, default_mesh, put
from dl_jax.train.state import Examples, TrainState, init_state, streams
from dl_jax.train.step import Metrics, evaluate


class Data(NamedTuple):
    """What a run learns from and what it is judged by meanwhile.

    Attributes:
        train: the training examples.
        validation: held out; None for a run without.
    """

    train: Examples
    validation: Examples | None = None


class Schedule(NamedTuple):
    """How long a run is and in what pieces.

    Attributes:
        num_epochs: how many times each example is seen.
        batch_size: examples a step; the last batch of an epoch may be shorter.
        nonfinite: "skip" leaves out updates that are not finite, as `fit` does, and counts them as
            `skipped`; nothing within one program can stop it.
    """

    num_epochs: int
    batch_size: int
    nonfinite: NonFinite = "stop"


History = dict[str, Float[Array, " num_epochs"]]


class Run(NamedTuple):
    """All of a run but its data, its key and its hyperparameters: the constants of a program.

    Attributes:
        model: a Flax module.
        objective: what is minimised.
        optimizer: an optax optimizer.
        config: epochs and batch size.
        by_hand: as in `train_step`.
        mesh: the devices.
    """

    model: nn.Module
    objective: Objective
    optimizer: optax.GradientTransformation
    config: Schedule
    by_hand: Network | None
    mesh: Mesh | None


def make_train(
    model: nn.Module,
    objective: Objective,
    optimizer: optax.GradientTransformation,
    data: Data,
    config: Schedule,
    by_hand: Network | None = None,
    mesh: Mesh | None = None,
) -> Callable[[Key[Array, ""]], tuple[TrainState, History]]:
    """Return `train(key) -> (state, history)`: the run, pure, so that transforms apply.

    `train(key)` runs all epochs as one compiled program, and `jax.vmap(train)(keys)` is the
    program that trains an ensemble. The same key gives the run that `fit` gives, to rounding.

    Args:
        model: a Flax module.
        objective: what is minimised.
        optimizer: an optax optimizer.
        data: for training and, if any, validation.
        config: epochs and batch size.
        by_hand: as in `train_step`.
        mesh: the devices, as in `fit`.

    Returns:
        A function of a key. Its history has `loss`, the objective's metrics and, with validation
        data, `val_loss` and so on: one value an epoch, not finite from where numbers went wrong.

    Raises:
        ValueError: if data, model and config do not fit each other, or a batch does not divide
            over the devices.
    """
    run = prepared(model, objective, optimizer, data, config, by_hand, mesh)
    return partial(whole_run, run, put(data, run.mesh, whole=True))


def prepared(
    model: nn.Module,
    objective: Objective,
    optimizer: optax.GradientTransformation,
    data: Data,
    config: Schedule,
    by_hand: Network | None,
    mesh: Mesh | None,
) -> Run:
    """Return the constants of `make_train`'s program, which fit its data.

    Raises:
        ValueError: as `make_train` does.
    """
    train_data, validation = data
    check_examples(model, objective, train_data, "training data")
    check_schedule(config.num_epochs, config.batch_size, len(train_data.inputs))
    mesh = default_mesh() if mesh is None else mesh
    check_batch(config.batch_size, mesh)
    if by_hand is not None:
        check_by_hand(model, objective, by_hand, train_data)
    if validation is not None:
        check_examples(model, objective, validation, "validation data", like=train_data)
    return Run(model, objective, optimizer, config, by_hand, mesh)


@partial(jax.jit, static_argnames="run")
def whole_run(
    run: Run, data: Data, key: Key[Array, ""], hyperparams: Hyperparams | None = None
) -> tuple[TrainState, History]:
    """The run with its data as an argument: as a constant it would be compiled, for seconds."""

    def epoch(state: TrainState, number: Int[Array, ""]) -> tuple[TrainState, Metrics]:
        return one_epoch(run, data, key, state, number)

    start = first_state(run, data, key, hyperparams)
    return lax.scan(epoch, start, jnp.arange(run.config.num_epochs))


def first_state(
    run: Run, data: Data, key: Key[Array, ""], hyperparams: Hyperparams | None
) -> TrainState:
    """Return the state before the first epoch."""
    start = init_state(run.model, run.optimizer, streams(key).init, data.train.inputs[:1])
    if not hyperparams:
        return start
    # A hand derivation has the model's fields within it: only the optimizer's are data then.
    return with_hyperparams(None if run.by_hand else run.model, start, hyperparams)


def one_epoch(
    run: Run, data: Data, key: Key[Array, ""], state: TrainState, number: Int[Array, ""] | int
) -> tuple[TrainState, Metrics]:
    """Return the state after an epoch, from 0, and its row of the history."""
    examples, batch_size = data.train, run.config.batch_size
    size = len(examples.inputs)
    whole, rest = divmod(size, batch_size)
    _, order_key, noise = streams(key)
    order = epoch_order(order_key, number, size)
    totals = zero_totals(run.model, run.objective, state, examples, run.config.nonfinite)
    pieces = [(0, whole, batch_size), (size - rest, 1, rest)]
    for piece in pieces[: 1 + bool(rest)]:
        state, totals = some_steps(run, state, totals, examples, order, noise, *piece)
    return state, row_of(run, data, state, totals)


def some_steps(
    run: Run,
    state: TrainState,
    totals: Metrics,
    examples: Examples,
    order: Int[Array, " n"],
    noise: Key[Array, ""],
    first: Int[Array, ""] | int,
    count: Int[Array, ""] | int,
    batch_size: int,
) -> tuple[TrainState, Metrics]:
    """Make steps of an epoch; as `train_batches`."""
    return train_batches(
        run.model, run.objective, run.optimizer, state, totals, examples, order, noise, first,
        count, batch_size=batch_size, by_hand=run.by_hand, mesh=run.mesh,
        nonfinite=run.config.nonfinite,
    )  # fmt: skip


def row_of(run: Run, data: Data, state: TrainState, totals: Metrics) -> Metrics:
    """Return the row of the history that an epoch's totals are, validation with it."""
    row = {k: totals[k] for k in totals.keys() & {"skipped"}}
    seen = len(data.train.inputs) - totals.get("left_out", 0)
    row |= {k: v / seen for k, v in totals.items() if k not in ("skipped", "left_out")}
    if data.validation is not None:
        figures = evaluate(run.model, run.objective, state, data.validation, run.mesh)
        row |= {f"val_{name}": figure for name, figure in figures.items()}
    return row
