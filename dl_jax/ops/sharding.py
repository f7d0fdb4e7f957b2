"""What an operation has to know of arrays that lie on many devices, or have any size."""

import jax
from jax import lax
from jaxtyping import Array


def is_sharded(*arrays: Array) -> bool:
    """Whether a mesh with explicit axes lays one of the arrays out; lax knows how to go on."""
    return any(axis is not None for a in arrays for axis in jax.typeof(a).sharding.spec)


def is_left_to_lax(*arrays: Array) -> bool:
    """Whether lax alone knows how to go on: sharded arrays, and those of a size without a number.

    Of a program that is exported for any batch, the number of examples is a symbol. The algorithms
    for a CPU choose by it and lay arrays out by it, which takes a number.
    """
    return is_sharded(*arrays) or any(not isinstance(n, int) for a in arrays for n in a.shape)


def varying_alike(*arrays: jax.Array) -> list[jax.Array]:
    """Under `shard_map`, let arrays that are the same on all devices of an axis vary over it."""
    varying = [jax.typeof(a).manual_axis_type.varying for a in arrays]
    axes = frozenset().union(*varying)
    return [
        lax.pcast(a, tuple(axes - own), to="varying") if axes - own else a
        for a, own in zip(arrays, varying, strict=True)
    ]
