"""A user's derivation at some inputs, called with flat lists of arrays."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from dl_jax.backprop.checking.gradients import read_gradients
from dl_jax.backprop.checking.inputs import (
    Arrays,
    Inputs,
    describe,
    has_dtype,
    is_float64,
    is_floating,
    is_none,
)
from dl_jax.backprop.pair import Pair

SAME = 1e-6
"""Relative difference of outputs for the same inputs that may be rounding."""


class Point(NamedTuple):
    """A derivation at some inputs; outputs and gradients are lists of their floating leaves.

    Attributes:
        values: the floating inputs, outputs and residuals by name.
        outputs: the output's floating leaves.
        output_names: their names, `output` where there is one.
        residuals: all leaves of the residuals.
        residual_names: their names.
        backward: `backward(residuals, d_outputs) -> gradients`, by hand; None where it gave None.
        pull: `pull(d_outputs) -> gradients`, by automatic differentiation of the forward.
    """

    values: dict[str, np.ndarray]
    outputs: Arrays
    output_names: list[str]
    residuals: list[Any]
    residual_names: list[str]
    backward: Callable[[Sequence[Any], Arrays], list[np.ndarray | None]]
    pull: Callable[[Arrays], Arrays]


def evaluate(derivation: Pair, inputs: Inputs, arrays: Arrays) -> Point:
    """Return the derivation at the inputs whose floating leaves are `arrays`.

    Raises:
        TypeError: if the forward returns no pair, or an output that is not in float64, or computes
            with NumPy.
        ValueError: if the output has no floating leaf, or one that is empty or not finite; if it
            is another one at the same inputs.
    """
    with _explaining_dtypes():
        pair = derivation.forward(*inputs.place(arrays))
    if not isinstance(pair, tuple) or len(pair) != 2:
        raise TypeError(
            f"expected forward to return (output, residuals); it returned {describe(pair)}; "
            "residuals are what backward needs, () for nothing"
        )
    output_names, outputs, output_tree = _flatten("output", pair[0])
    residual_names, residuals, residual_tree = _flatten("residuals", pair[1])
    floating = [i for i, leaf in enumerate(outputs) if is_floating(leaf)]
    _check_outputs(output_names, outputs, floating)

    def backward(residuals: Sequence[Any], d_outputs: Arrays) -> list[np.ndarray | None]:
        back: list[Any] = [np.zeros(np.shape(leaf), jax.dtypes.float0) for leaf in outputs]
        for i, d_output in zip(floating, d_outputs, strict=True):
            back[i] = jnp.asarray(d_output)
        with _explaining_dtypes():
            given = derivation.backward(
                residual_tree.unflatten(residuals), output_tree.unflatten(back)
            )
        return read_gradients(given, inputs)

    def reference(moving: list[jax.Array]) -> list[jax.Array]:
        leaves = jax.tree.leaves(derivation.forward(*inputs.place(moving))[0], is_leaf=is_none)
        return [jnp.asarray(leaves[i]) for i in floating]

    try:
        again, vjp = jax.vjp(reference, [jnp.asarray(array) for array in arrays])
    except jax.errors.TracerArrayConversionError as error:
        raise TypeError(
            "forward uses NumPy on its inputs; automatic differentiation needs jax.numpy"
        ) from error
    _check_same(output_names, outputs, floating, again)

    def pull(d_outputs: Arrays) -> Arrays:
        return [np.asarray(g) for g in vjp([jnp.asarray(d) for d in d_outputs])[0]]

    names = [*(output_names[i] for i in floating), *inputs.names, *residual_names]
    arrays_of_names = [*(outputs[i] for i in floating), *arrays, *residuals]
    values = {
        name: np.asarray(leaf, np.float64)
        for name, leaf in zip(names, arrays_of_names, strict=True)
        if is_floating(leaf) or has_dtype(leaf, jnp.bool_)
    }
    finite = [np.asarray(outputs[i]) for i in floating]
    names = [output_names[i] for i in floating]
    return Point(values, finite, names, residuals, residual_names, backward, pull)


@contextmanager
def _explaining_dtypes() -> Iterator[None]:
    """Add to an error of two precisions where they are from: the user wrote one of them only."""
    try:
        yield
    except TypeError as error:
        if "float32" in str(error) and "float64" in str(error):
            error.add_note(
                "check calls in float64; a constant or a state in float32 takes the dtype of the "
                "input: write jnp.zeros(..., x.dtype)"
            )
        raise


def outputs_at(derivation: Pair, inputs: Inputs, arrays: Sequence[Any]) -> list[jax.Array]:
    """Return the output's floating leaves; nothing is checked."""
    leaves = jax.tree.leaves(derivation.forward(*inputs.place(arrays))[0])
    return [leaf for leaf in leaves if is_floating(leaf)]


def _check_outputs(names: list[str], outputs: list[Any], floating: list[int]) -> None:
    if not floating:
        found = ", ".join(map(describe, outputs)) or "nothing"
        raise ValueError(f"expected forward's output to have floating values; it is {found}")
    if all(np.size(outputs[i]) == 0 for i in floating):
        raise ValueError("forward's output is empty: no gradient comes of it")
    for i in floating:
        if not is_float64(outputs[i]):
            raise TypeError(
                f"expected forward's {names[i]} in float64, as its inputs are; it is "
                f"{describe(outputs[i])}: a cast or a constant has made it so"
            )
        wrong = np.sum(~np.isfinite(outputs[i]))
        if wrong:
            raise ValueError(
                f"forward made NaN or infinity: {wrong} of {np.size(outputs[i])} entries of its "
                f"{names[i]}; give example inputs where it is finite"
            )


def _check_same(
    names: list[str], outputs: list[Any], floating: list[int], again: list[jax.Array]
) -> None:
    for i, other in zip(floating, again, strict=True):
        one, two = np.asarray(outputs[i]), np.asarray(other)
        if not np.abs(one - two).max(initial=0) <= SAME * np.abs(one).max(initial=0):
            raise ValueError(
                f"forward returned another {names[i]} when it was called again with the same "
                "inputs: it must be a function of them; what is random takes a key as an input"
            )


def _flatten(name: str, tree: Any) -> tuple[list[str], list[Any], Any]:
    paths, structure = jax.tree_util.tree_flatten_with_path(tree, is_leaf=is_none)
    names = [f"{name}{jax.tree_util.keystr(path)}" for path, _ in paths]
    return names, [leaf for _, leaf in paths], structure
