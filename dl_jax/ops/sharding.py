"""What an operation has to know of arrays that lie on many devices."""

import jax
from jax import lax
from jaxtyping import Array


def is_sharded(*arrays: Array) -> bool:
    """Whether a mesh with explicit axes lays one of the arrays out; lax knows how to go on."""
    return any(axis is not None for a in arrays for axis in jax.typeof(a).sharding.spec)


def varying_alike(*arrays: jax.Array) -> list[jax.Array]:
    """Under `shard_map`, let arrays that are the same on all devices of an axis vary over it."""
    varying = [jax.typeof(a).manual_axis_type.varying for a in arrays]
    axes = frozenset().union(*varying)
    return [
        lax.pcast(a, tuple(axes - own), to="varying") if axes - own else a
        for a, own in zip(arrays, varying, strict=True)
    ]
