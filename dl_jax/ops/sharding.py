"""What an operation has to know of arrays that lie on many devices, or have any size."""

from collections.abc import Callable

import jax
from jax import lax
from jax.sharding import AxisType
from jax.sharding import PartitionSpec as P
from jaxtyping import Array


def is_sharded(*arrays: Array) -> bool:
    """Whether a mesh with explicit axes lays one of the arrays out.

    How to go on then is lax's: it does for convolutions, and refuses gathers, as those of a bag of
    words, whose result could lie in several ways.
    """
    return any(axis is not None for a in arrays for axis in jax.typeof(a).sharding.spec)


def by_device(
    function: Callable[..., jax.Array], examples: jax.Array, *whole: jax.Array
) -> jax.Array:
    """Return `function(examples, *whole)`, computed by each device for its part of the examples.

    Where a mesh with an axis `data` of the type `Auto` is in use, as `train` has it, and the
    examples divide over it; else it is the call alone. XLA would find as much for itself, unless
    the function reorders the examples with other axes: it then computes everything everywhere.

    Args:
        function: of which each example's output, `[n, ...]` together, depends on that example.
        examples: `[n, ...]`.
        *whole: what each device has all of, as a kernel.
    """
    mesh = jax.sharding.get_abstract_mesh()
    types = dict(zip(mesh.axis_names, mesh.axis_types, strict=True))
    if types.get("data") != AxisType.Auto or len(examples) % mesh.shape["data"]:
        return function(examples, *whole)

    def part(*arrays: jax.Array) -> jax.Array:
        # At once: a bias's gradient is then summed over the devices as the bias is, and not as
        # what it was added to.
        return function(*varying_alike(*arrays))

    specs = (P("data"), *[P()] * len(whole))
    mapped = jax.shard_map(part, in_specs=specs, out_specs=P("data"), axis_names={"data"})
    return mapped(examples, *whole)


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
