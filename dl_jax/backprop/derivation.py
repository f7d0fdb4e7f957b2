"""A user's derivation, called in float64 with flat lists of arrays; what breaks its protocol."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from dl_jax.backprop.pair import Pair

Arrays = list[np.ndarray]


class Inputs(NamedTuple):
    """Example inputs, of which the floating leaves move.

    Attributes:
        names: of the floating leaves, like `inputs[1]['kernel']`.
        arrays: the floating leaves in float64.
        leaves: all leaves, None among them.
        moves: which of the leaves are floating.
        tree: the structure of the inputs, a tuple.
    """

    names: list[str]
    arrays: Arrays
    leaves: list[Any]
    moves: list[int]
    tree: Any

    def place(self, arrays: Sequence[Any]) -> tuple[Any, ...]:
        """Return the inputs with other values of the floating leaves."""
        leaves = [jnp.asarray(x) if isinstance(x, np.ndarray) else x for x in self.leaves]
        for i, array in zip(self.moves, arrays, strict=True):
            leaves[i] = jnp.asarray(array)
        return self.tree.unflatten(leaves)


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


def read_inputs(example_inputs: tuple[Any, ...]) -> Inputs:
    """Return the inputs with their floating leaves in float64; the others stay as they are.

    Raises:
        ValueError: if there is no floating leaf, or a complex one.
    """
    paths, tree = jax.tree_util.tree_flatten_with_path(example_inputs, is_leaf=_is_none)
    names = [f"inputs{jax.tree_util.keystr(path)}" for path, _ in paths]
    leaves = [leaf for _, leaf in paths]
    for name, leaf in zip(names, leaves, strict=True):
        if isinstance(leaf, complex) or _has_dtype(leaf, jnp.complexfloating):
            raise ValueError(f"{name} is complex; expected real inputs: split it in two")
    moves = [i for i, leaf in enumerate(leaves) if is_floating(leaf)]
    if not moves:
        found = ", ".join(map(describe, leaves)) or "none at all"
        raise ValueError(
            f"expected an example input with floating values, to have a gradient by; the inputs "
            f"are {found}; give numbers such as jnp.ones(3)"
        )
    arrays = [np.asarray(leaves[i], np.float64) for i in moves]
    return Inputs([names[i] for i in moves], arrays, leaves, moves, tree)


def evaluate(derivation: Pair, inputs: Inputs, arrays: Arrays) -> Point:
    """Return the derivation at the inputs whose floating leaves are `arrays`.

    Raises:
        TypeError: if the forward returns no pair, or an output that is not in float64.
        ValueError: if the output has no floating leaf, or one that is not finite.
    """
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
        given = derivation.backward(residual_tree.unflatten(residuals), output_tree.unflatten(back))
        return read_gradients(given, inputs)

    def reference(moving: list[jax.Array]) -> list[jax.Array]:
        leaves = jax.tree.leaves(derivation.forward(*inputs.place(moving))[0], is_leaf=_is_none)
        return [jnp.asarray(leaves[i]) for i in floating]

    _, vjp = jax.vjp(reference, [jnp.asarray(array) for array in arrays])

    def pull(d_outputs: Arrays) -> Arrays:
        return [np.asarray(g) for g in vjp([jnp.asarray(d) for d in d_outputs])[0]]

    names = [*(output_names[i] for i in floating), *inputs.names, *residual_names]
    arrays_of_names = [*(outputs[i] for i in floating), *arrays, *residuals]
    values = {
        name: np.asarray(leaf, np.float64)
        for name, leaf in zip(names, arrays_of_names, strict=True)
        if is_floating(leaf) or _has_dtype(leaf, jnp.bool_)
    }
    finite = [np.asarray(outputs[i]) for i in floating]
    names = [output_names[i] for i in floating]
    return Point(values, finite, names, residuals, residual_names, backward, pull)


def outputs_at(derivation: Pair, inputs: Inputs, arrays: Sequence[Any]) -> list[jax.Array]:
    """Return the output's floating leaves; nothing is checked."""
    leaves = jax.tree.leaves(derivation.forward(*inputs.place(arrays))[0])
    return [leaf for leaf in leaves if is_floating(leaf)]


def read_gradients(given: Any, inputs: Inputs) -> list[np.ndarray | None]:
    """Return the gradients by the floating leaves, from what a backward returned.

    Raises:
        TypeError: if it is no tuple, or a gradient is not in float64 or not None by an integer.
        ValueError: if there are too few or many gradients, or one has the wrong tree or shape.
    """
    example = inputs.place(inputs.arrays)
    if not isinstance(given, tuple):
        one = " as in `return (d_x,)`" if len(example) == 1 else ""
        raise TypeError(
            f"expected backward to return a tuple with a gradient an input, {len(example)} in "
            f"all{one}; it returned {describe(given)}"
        )
    if len(given) != len(example):
        raise ValueError(
            f"expected backward to return {len(example)} gradients, one an input of forward; it "
            f"returned {len(given)}; an input without derivative has None"
        )
    leaves: list[Any] = []
    for i, (gradient, subtree) in enumerate(zip(given, example, strict=True)):
        leaves += _as_input(f"inputs[{i}]", gradient, subtree)
    for i, leaf in enumerate(leaves):
        if i not in inputs.moves and leaf is not None and not _has_dtype(leaf, jax.dtypes.float0):
            raise TypeError(
                f"expected None for an input that is {describe(inputs.leaves[i])}, which has no "
                f"derivative; backward returned {describe(leaf)}"
            )
    gradients = [leaves[i] for i in inputs.moves]
    found = zip(inputs.names, gradients, inputs.arrays, strict=True)
    return [None if g is None else _read_gradient(name, g, x) for name, g, x in found]


def is_floating(leaf: Any) -> bool:
    """Whether a leaf is a real number or an array of them."""
    return isinstance(leaf, float) or _has_dtype(leaf, jnp.floating)


def describe(value: Any) -> str:
    """Return what something is, for an error: `float32 of shape (2, 3)`, `a list of 2`."""
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return f"{value.dtype} of shape {tuple(value.shape)}"
    if isinstance(value, (tuple, list, dict)):
        return f"a {type(value).__name__} of {len(value)}"
    return "None" if value is None else f"of type {type(value).__name__}"


def _check_outputs(names: list[str], outputs: list[Any], floating: list[int]) -> None:
    if not floating:
        found = ", ".join(map(describe, outputs)) or "nothing"
        raise ValueError(f"expected forward's output to have floating values; it is {found}")
    for i in floating:
        if not _is_float64(outputs[i]):
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


def _read_gradient(name: str, gradient: Any, x: np.ndarray) -> np.ndarray:
    if np.shape(gradient) != x.shape:
        raise ValueError(
            f"the gradient of {name} has shape {np.shape(gradient)}, expected {x.shape} as "
            f"{name} has{_shape_hint(np.shape(gradient), x.shape)}"
        )
    if not _is_float64(gradient):
        raise TypeError(
            f"the gradient of {name} is {describe(gradient)}, expected float64: check calls with "
            "float64 values; take away a cast or give a constant the dtype of d_output"
        )
    return np.asarray(gradient)


def _shape_hint(found: tuple[int, ...], right: tuple[int, ...]) -> str:
    if found == right[::-1]:
        return ": it is transposed"
    if sorted(found) == sorted(right):
        return ": its axes are permuted"
    for axis in range(len(found)):
        if found[:axis] + found[axis + 1 :] == right:
            return f": a sum over its axis {axis} is missing"
    for axis in range(len(right)):
        if found == right[:axis] + right[axis + 1 :]:
            return f": axis {axis} of {right} is summed away or not kept"
    if len(found) == len(right) and all(r in (1, f) for f, r in zip(found, right, strict=True)):
        axes = [i for i, (f, r) in enumerate(zip(found, right, strict=True)) if f != r]
        return f": a sum over axes {axes} is missing, with keepdims=True"
    if np.prod(found) == np.prod(right):
        return ": it has to be reshaped"
    return ""


def _as_input(name: str, gradient: Any, subtree: Any) -> list[Any]:
    """The gradient's leaves in the order of the input's; None may stand for a subtree."""
    leaves, tree = jax.tree.flatten(gradient, is_leaf=_is_none)
    expected = jax.tree.structure(subtree, is_leaf=_is_none)
    if tree == expected:
        return leaves
    try:
        parts = tree.flatten_up_to(subtree)
    except (TypeError, ValueError):
        parts = []
    found = []
    for leaf, part in zip(leaves, parts, strict=False):
        inside = jax.tree.leaves(part, is_leaf=_is_none)
        found += [leaf] * len(inside) if leaf is None else [leaf]
    if len(found) != expected.num_leaves:
        raise ValueError(
            f"the gradient of {name} is {tree}, expected {expected}: the tree of the input, with "
            "None where there is no derivative"
        )
    return found


def _flatten(name: str, tree: Any) -> tuple[list[str], list[Any], Any]:
    paths, structure = jax.tree_util.tree_flatten_with_path(tree, is_leaf=_is_none)
    names = [f"{name}{jax.tree_util.keystr(path)}" for path, _ in paths]
    return names, [leaf for _, leaf in paths], structure


def _has_dtype(leaf: Any, kind: Any) -> bool:
    return hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, kind)


def _is_float64(leaf: Any) -> bool:
    return isinstance(leaf, float) or _has_dtype(leaf, np.float64)


def _is_none(leaf: Any) -> bool:
    return leaf is None
