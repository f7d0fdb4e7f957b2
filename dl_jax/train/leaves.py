"""The arrays of a tree by their names, on the host, as files hold them; and the tree from them."""

from collections.abc import Mapping
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

Tree = TypeVar("Tree")


def leaves_of(tree: Any) -> dict[str, np.ndarray]:
    """Return the arrays of a tree by their names; of a random key the numbers that it is made of.

    Args:
        tree: arrays, and keys as `jax.random.key` makes them.
    """
    numbers = jax.device_get(jax.tree.map(_numbers, tree))
    leaves = map(np.asarray, jax.tree.leaves(numbers))
    return dict(zip(names_of(tree), leaves, strict=True))


def from_leaves(leaves: Mapping[str, np.ndarray], like: Tree) -> Tree:
    """Return the tree whose arrays these are.

    Args:
        leaves: as `leaves_of` returns them; there may be others.
        like: a tree of its structure and dtypes, which may be abstract.

    Raises:
        KeyError: if one is missing.
    """
    kinds = zip(names_of(like), jax.tree.leaves(like), strict=True)
    found = [_leaf(leaves[name], leaf.dtype) for name, leaf in kinds]
    return jax.tree.unflatten(jax.tree.structure(like), found)


def names_of(tree: Any) -> list[str]:
    """Return the names of a tree's arrays, as `params.Dense_0.kernel`, in their order."""
    paths = (path for path, _ in jax.tree.leaves_with_path(tree))
    return [jax.tree_util.keystr(path, simple=True, separator=".") for path in paths]


def _numbers(leaf: Any) -> Any:
    return jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf


def _leaf(numbers: np.ndarray, dtype: Any) -> Any:
    if not jnp.issubdtype(dtype, jax.dtypes.prng_key):
        return numbers
    impl = jax.random.key_impl(jnp.empty((), dtype))  # of a shape it cannot be asked
    return jax.random.wrap_key_data(jnp.asarray(numbers), impl=impl)
