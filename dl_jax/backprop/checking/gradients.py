"""What a backward returned, as a flat list of arrays; what breaks the protocol."""

from typing import Any

import jax
import numpy as np

from dl_jax.backprop.checking.inputs import Inputs, describe, has_dtype, is_float64, is_none

MOST_PLACES = 5
"""Keys that are unknown or missing are named up to so many."""


def read_gradients(given: Any, inputs: Inputs) -> list[np.ndarray | None]:
    """Return the gradients by the floating leaves, from what a backward returned.

    Raises:
        TypeError: if it is no tuple, or a gradient is not in float64 or not None by an integer.
        ValueError: if there are too few or many gradients, or one has the wrong tree or shape.
    """
    example = inputs.tree.unflatten(inputs.leaves)
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
        if i not in inputs.moves and leaf is not None and not has_dtype(leaf, jax.dtypes.float0):
            raise TypeError(
                f"expected None for an input that is {describe(inputs.leaves[i])}, which has no "
                f"derivative; backward returned {describe(leaf)}"
            )
    gradients = [leaves[i] for i in inputs.moves]
    found = zip(inputs.names, gradients, inputs.arrays, strict=True)
    return [None if g is None else _read_gradient(name, g, x) for name, g, x in found]


def _as_input(name: str, gradient: Any, subtree: Any) -> list[Any]:
    """The gradient's leaves in the order of the input's; None may stand for a subtree."""
    leaves, tree = jax.tree.flatten(gradient, is_leaf=is_none)
    expected = jax.tree.structure(subtree, is_leaf=is_none)
    if tree == expected:
        return leaves
    try:
        parts = tree.flatten_up_to(subtree)
    except (TypeError, ValueError):
        parts = []
    subtrees = [jax.tree.structure(part, is_leaf=is_none) for part in parts]
    one_each = all(
        leaf is None or jax.tree_util.treedef_is_leaf(subtree)
        for leaf, subtree in zip(leaves, subtrees, strict=False)
    )
    if not parts or not one_each:
        raise ValueError(
            f"the gradient of {name} is {_apart(gradient, subtree)}; expected the tree of the "
            f"input, {describe(subtree)}, with None where there is no derivative"
        )
    each = zip(leaves, subtrees, strict=True)
    return [leaf for leaf, subtree in each for _ in range(subtree.num_leaves)]


def _apart(gradient: Any, subtree: Any) -> str:
    """What a gradient is, and its places that are not those of the input."""
    found, right = _places(gradient), _places(subtree)
    unknown, missing = ([p for p in a if p and p not in b] for a, b in
                        ((found, right), (right, found)))  # fmt: skip
    # A None, or a mistaken leaf, stands for all that is below it.
    missing = [p for p in missing if not any(p.startswith(q) for q in found)]
    text = describe(gradient)
    for word, places in (("unknown", unknown), ("missing", missing)):
        if places:
            more = ", ..." * (len(places) > MOST_PLACES)
            text += f", {word}: {', '.join(places[:MOST_PLACES])}{more}"
    return text


def _places(tree: Any) -> list[str]:
    paths, _ = jax.tree_util.tree_flatten_with_path(tree, is_leaf=is_none)
    return [jax.tree_util.keystr(path) for path, _ in paths]


def _read_gradient(name: str, gradient: Any, x: np.ndarray) -> np.ndarray:
    if np.shape(gradient) != x.shape:
        raise ValueError(
            f"the gradient of {name} has shape {np.shape(gradient)}, expected {x.shape} as "
            f"{name} has{_shape_hint(np.shape(gradient), x.shape)}"
        )
    if not is_float64(gradient):
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
