"""A network trained twice in turns, on its hand derivation and on automatic differentiation."""

import time
from collections.abc import Mapping
from functools import partial
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key, PyTree

from dl_jax.backprop import value_and_grad
from dl_jax.train import (
    Examples,
    TrainState,
    epoch_order,
    init_state,
    predict,
    streams,
    train_batches,
    zero_totals,
)
from dl_jax.train.hyperparams import with_hyperparams
from dl_jax.train.progress import progress_bar
from dl_jax.train.state import as_model_inputs
from experiments.training import Task

WAYS = ("automatic", "by hand")
_PIECES = 40  # of an epoch: points of the curves, and pairs of times
_JUDGED = 5000  # examples on which the two are compared at the end


class Race(NamedTuple):
    """Two runs, a piece of an epoch of the one and then of the other.

    Attributes:
        steps: how many updates were made after each piece.
        losses: mean loss of each piece, a row for each of `WAYS`; summed in float32.
        seconds: of each piece, likewise.
        last: after the last step the loss of some examples, in the precision of the run.
        gradients_apart: at the start, the largest difference of a gradient's entries relative to
            the largest of them; an optimizer as Adam would hide a wrong scale.
    """

    steps: Float[np.ndarray, " n"]
    losses: Float[np.ndarray, "2 n"]
    seconds: Float[np.ndarray, "2 n"]
    last: Float[np.ndarray, "2"]
    gradients_apart: float

    def on_the_way(self) -> Float[np.ndarray, " n"]:
        """How far the losses of each piece are apart, relative to the automatic way's."""
        return np.abs(self.losses[1] / self.losses[0] - 1)

    def losses_apart(self) -> float:
        """The larger of the median on the way and what is apart at the end."""
        apart = (np.median(self.on_the_way()), abs(self.last[1] / self.last[0] - 1))
        return float(np.max(apart))  # which is NaN if one of them is

    def step_seconds(self) -> Float[np.ndarray, "2"]:
        """The median seconds of a step, either way."""
        return np.median(self.seconds / np.diff(self.steps, prepend=0), axis=1)

    def ratio(self) -> float:
        """The median, pair by pair, of the time by hand over the automatic way's."""
        return float(np.median(self.seconds[1] / self.seconds[0]))


def race(
    task: Task,
    train: Examples,
    *,
    num_epochs: int,
    batch_size: int,
    key: Key[Array, ""],
    point: Mapping[str, float],
    precision: Literal["float32", "float64"],
) -> Race:
    """Train both ways in turns. The last short batch of an epoch is left out.

    Args:
        task: with the hand derivation; its optimizer has the names of `point` as data.
        train: to train on.
        num_epochs: whole passes over it.
        batch_size: of each step.
        key: from which parameters, order and dropout come.
        point: hyperparameters by name; `{}` for the optimizer's own.
        precision: of parameters and inputs; float64 has to be enabled.
    """
    init, order_key, noise = streams(key)
    runs = [
        partial(train_batches, task.model, task.objective, task.optimizer, by_hand=by_hand)
        for by_hand in (None, task.by_hand)
    ]
    state = init_state(task.model, task.optimizer, init, train.inputs)
    state = with_hyperparams(None, state, point)
    if precision == "float64":
        state = jax.tree.map(_widened, state)
        train = train._replace(inputs=_widened(as_model_inputs(train.inputs)))
    states: list[TrainState] = [jax.tree.map(jnp.copy, state) for _ in WAYS]
    size, zeros = len(train.targets), zero_totals(task.model, task.objective, state, train)

    def piece(way: int, order: Array, first: int, count: int) -> tuple[float, float]:
        totals, started = jax.tree.map(jnp.copy, zeros), time.perf_counter()
        states[way], totals = runs[way](
            states[way], totals, train, order, noise, first, count, batch_size=batch_size
        )
        loss = float(totals["loss"]) / max(count * batch_size, 1)
        return loss, time.perf_counter() - started

    first = jax.tree.map(lambda a: a[:batch_size], train)
    gradients_apart = _gradients_apart(task, state.params, first, noise)
    for way in range(2):  # compiles
        piece(way, epoch_order(order_key, 0, size), 0, 0)
    steps, found = [], []
    whole = size // batch_size
    count = -(-whole // _PIECES)
    with progress_bar(num_epochs, size, show=True) as advance:
        for epoch in range(num_epochs):
            order = epoch_order(order_key, epoch, size)
            for step in range(0, whole, count):
                made = min(count, whole - step)
                turns = (0, 1) if len(found) % 2 else (1, 0)
                pair = {way: piece(way, order, step * batch_size, made) for way in turns}
                steps.append(epoch * whole + step + made)
                found.append([pair[0], pair[1]])
                seen = made * batch_size
                advance(seen, {"loss": jnp.asarray(pair[1][0])}, 1)
    losses, seconds = np.array(found).transpose(2, 1, 0)
    some = jax.tree.map(lambda a: a[:_JUDGED], train)
    last = [
        task.objective.loss(predict(task.model, state, some.inputs), jnp.asarray(some.targets))
        for state in states
    ]
    return Race(np.array(steps, float), losses, seconds, np.array([each.mean() for each in last]),
                gradients_apart)  # fmt: skip


def _gradients_apart(task: Task, params: PyTree, batch: Examples, key: Array) -> float:
    arguments = (params, as_model_inputs(batch.inputs), jnp.asarray(batch.targets), key)
    pair = _automatic(task, *arguments), _by_hand(task, *arguments)
    apart = jax.tree.map(lambda a, b: jnp.abs(a - b).max() / jnp.abs(a).max(), *pair)
    return float(np.max(jax.tree.leaves(apart)))


# Two programs, so that XLA cannot make one of both; traced once for all seeds.
@partial(jax.jit, static_argnums=0)
def _automatic(task: Task, params: PyTree, inputs: Array, targets: Array, key: Array) -> PyTree:
    def mean_loss(params):
        logits = task.model.apply({"params": params}, inputs, train=True, rngs={"dropout": key})
        assert isinstance(logits, Array)
        return task.objective.loss(logits, targets).mean()

    return jax.grad(mean_loss)(params)


@partial(jax.jit, static_argnums=0)
def _by_hand(task: Task, params: PyTree, inputs: Array, targets: Array, key: Array) -> PyTree:
    assert task.by_hand is not None
    return value_and_grad(task.by_hand, params, inputs, targets, key)[1]


def _widened(a: Array) -> Array:
    return a.astype(jnp.float64) if jnp.issubdtype(a.dtype, jnp.floating) else a
