"""Numbers that go wrong: whether there are any, in which layer, and the error that says so."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from flax import traverse_util
from jaxtyping import Array, Bool, Key, PyTree

from dl_jax.train.mesh import copied, on_one_device
from dl_jax.train.state import Examples, TrainState, as_model_inputs
from dl_jax.train.step import Metrics


class NonFiniteError(FloatingPointError):
    """A loss or parameters that are not finite ended a run.

    Attributes:
        step: the update, counted from 1, that could not be made, or that made the parameters so.
        epoch: of that update, from 1.
        place: the layer, or what else is the first that is not finite.
    """

    def __init__(self, step: int, epoch: int, place: str, hint: str = ""):
        """Say where it was; `hint` is what can be done about it."""
        super().__init__(f"step {step}, in epoch {epoch}: not finite is {place}{hint}")
        self.step, self.epoch, self.place = step, epoch, place


def cause(
    model: nn.Module,
    begun: tuple[TrainState, Metrics],
    one_step: Callable[[TrainState, Metrics], tuple[TrainState, Metrics, Examples]],
    epoch: int,
    noise: Key[Array, ""],
    last: int,
) -> NonFiniteError:
    """Return the error of an epoch that went wrong, found by making its steps again, one by one.

    Compiled steps look at nothing but their loss: a look at all that is learned in each of them
    costs a small network a fifth of its time.

    Args:
        model: a Flax module.
        begun: state and totals at the beginning of the epoch, or where a run went on within it.
        one_step: makes a step; its last result is the batch.
        epoch: from 1.
        noise: the run's key for dropout.
        last: the number of the step, from 1, behind which it was found.
    """
    state, totals = begun
    while int(state.step) < last:
        before = copied(state)  # the step takes its argument's memory
        state, totals, batch = one_step(state, totals)
        unmade = not np.isfinite(totals["loss"])
        if unmade or not are_finite(learned(state)):
            seen = on_one_device((before if unmade else state, batch, noise))
            place = first_place(model, *seen)
            return NonFiniteError(int(before.step) + 1, epoch, place)
    return NonFiniteError(
        last, epoch, "a number that was finite when the steps were made again, one by one: the "
        "device does not compute the same each time, or its memory is at fault"
    )  # fmt: skip


def all_finite(tree: PyTree) -> Bool[Array, ""]:
    """Return whether every floating-point number of a tree is finite, within a program."""
    return jnp.all(jnp.array([jnp.all(jnp.isfinite(leaf)) for leaf in _floats(tree)]))


def are_finite(tree: PyTree) -> bool:
    """Return the same of arrays, on the host: there is nothing to compile.

    Of an array that is cut over processes each looks at its own part.
    """
    parts = (part.data for leaf in _floats(tree) for part in leaf.addressable_shards)
    return all(bool(np.isfinite(np.asarray(part)).all()) for part in parts)


def learned(state: TrainState) -> PyTree:
    """Return what of a state has to be finite: an optimizer may hold infinities on purpose."""
    return state.params, state.model_state


def first_place(model: nn.Module, state: TrainState, batch: Examples, noise: Key[Array, ""]) -> str:
    """Return the name of what is not finite in a step, the first of it in the order of computation.

    Args:
        model: a Flax module.
        state: before the step.
        batch: of the step.
        noise: the run's key for dropout.

    Returns:
        The parameters, the inputs, a layer's output, or the loss, which is what is left.
    """
    found = place_in(state)
    if found:
        return found
    inputs = as_model_inputs(batch.inputs)
    if not are_finite(inputs):
        return "an input of the batch"
    _, changed = model.apply(
        {"params": state.params, **state.model_state},
        inputs,
        train=True,
        rngs={"dropout": jax.random.fold_in(noise, state.step)},
        capture_intermediates=True,
        mutable=[*state.model_state, "intermediates"],
    )
    # A dictionary in the order of computation: a module's output stands behind those in it.
    for path, outputs in traverse_util.flatten_dict(changed["intermediates"]).items():
        if not are_finite(outputs):
            return f"the output of {'/'.join(path[:-1]) or 'the network'}"
    return "the loss, of finite outputs"


def place_in(state: TrainState) -> str | None:
    """Return the name of the parameters of a state that are not finite; None if all are."""
    collections = {"params": state.params, **state.model_state}
    wrong = [
        jax.tree_util.keystr(path[1:], simple=True, separator="/")
        for path, leaf in jax.tree.leaves_with_path(collections)
        if not are_finite(leaf)
    ]
    if not wrong:
        return None
    more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
    return f"what was learned: {', '.join(wrong[:3])}{more}"


def _floats(tree: PyTree) -> list[jax.Array]:
    leaves = map(jnp.asarray, jax.tree.leaves(tree))
    return [leaf for leaf in leaves if jnp.issubdtype(leaf.dtype, jnp.inexact)]
