"""Example inputs as a flat list of the arrays that have a derivative."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

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


def read_inputs(example_inputs: tuple[Any, ...]) -> Inputs:
    """Return the inputs with their floating leaves in float64; the others stay as they are.

    Raises:
        ValueError: if there is no floating leaf, or one that is complex or empty.
    """
    paths, tree = jax.tree_util.tree_flatten_with_path(example_inputs, is_leaf=is_none)
    names = [f"inputs{jax.tree_util.keystr(path)}" for path, _ in paths]
    leaves = [leaf for _, leaf in paths]
    for name, leaf in zip(names, leaves, strict=True):
        if isinstance(leaf, complex) or has_dtype(leaf, jnp.complexfloating):
            raise ValueError(f"{name} is complex; expected real inputs: split it in two")
    moves = [i for i, leaf in enumerate(leaves) if is_floating(leaf)]
    if not moves:
        found = ", ".join(map(describe, leaves)) or "none at all"
        raise ValueError(
            f"expected an example input with floating values, to have a gradient by; the inputs "
            f"are {found}; give floats such as 2.0 or jnp.ones(3), in trees that JAX knows"
        )
    arrays = [np.array(leaves[i], np.float64) for i in moves]  # a copy, that nobody changes
    for i, array in zip(moves, arrays, strict=True):
        if array.size == 0:
            raise ValueError(
                f"{names[i]} is empty, of shape {array.shape}: there is no gradient to check; give "
                "an example with at least one entry"
            )
    return Inputs([names[i] for i in moves], arrays, leaves, moves, tree)


def is_floating(leaf: Any) -> bool:
    """Whether a leaf is a real number or an array of them."""
    return isinstance(leaf, float) or has_dtype(leaf, jnp.floating)


def describe(value: Any) -> str:
    """Return what something is, for an error: `float32 of shape (2, 3)`, `a list of 2`."""
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return f"{value.dtype} of shape {tuple(value.shape)}"
    if isinstance(value, (tuple, list, dict)):
        return f"a {type(value).__name__} of {len(value)}"
    return "None" if value is None else f"of type {type(value).__name__}"


def has_dtype(leaf: Any, kind: Any) -> bool:
    """Whether a leaf is an array of a kind of values."""
    return hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, kind)


def is_float64(leaf: Any) -> bool:
    """Whether a leaf is a real number or an array of them in double precision."""
    return isinstance(leaf, float) or has_dtype(leaf, np.float64)


def is_none(leaf: Any) -> bool:
    """Whether a leaf is None, which is one here."""
    return leaf is None
