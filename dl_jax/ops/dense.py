"""Products with a kernel that is large or narrow, as dense layers make them, and their gradients.

With few examples or few outputs such a product is as fast as memory is: each number of the larger
factor is read for a few sums. On a CPU, XLA turns a factor to get its gradients, and if it is the
larger one, that takes several times as long as reading it. Here what is small is turned, the other
factor and the result, behind `ops.once`, since XLA's simplifier would put it back. What that is
worth stands in `docs/performance_notes.md`.
"""

import math

import jax
import jax.numpy as jnp
from jax import lax
from jax.sharding import NamedSharding, PartitionSpec
from jax.typing import DTypeLike
from jaxtyping import Array, Num

from dl_jax.ops.bilinear import Products, bilinear
from dl_jax.ops.once import once
from dl_jax.ops.sharding import by_device, is_left_to_lax

_LARGE = 2**20  # numbers in a kernel that no cache holds
_FEW, _VERY_FEW = 64, 16  # examples, for which memory and not arithmetic is what takes time
# A single one takes the same time either way.
_NARROW = 32  # inputs for each output, from which on examples are larger than what is turned


def dot_general(
    lhs: Num[Array, "..."],
    rhs: Num[Array, "..."],
    dimension_numbers: lax.DotDimensionNumbers,
    precision: lax.PrecisionLike = None,
    preferred_element_type: DTypeLike | None = None,
    *,
    out_sharding: NamedSharding | PartitionSpec | None = None,
) -> Num[Array, "..."]:
    """Multiply as `jax.lax.dot_general` does, with the same arguments.

        out[n, o] = sum_i lhs[n, i] rhs[i, o]

    differs from `jax.lax`'s in its gradients on a CPU, in float32, for 2 to 64 examples n and a
    kernel of at least 2^20 numbers, and where there are 32 inputs or more for each output and no
    more outputs than examples: the same sums, sooner. Everything else is `jax.lax`'s, as other
    devices' products are. A Flax `nn.Dense` takes it as its `dot_general`.

    Args:
        lhs: the examples, `[n, i]`.
        rhs: the kernel, `[i, o]`.
        dimension_numbers: as in `jax.lax.dot_general`.
        precision: of the products.
        preferred_element_type: of the sums and the output.
        out_sharding: as in `jax.lax.dot_general`.

    Raises:
        ValueError, TypeError: as `jax.lax.dot_general` does.
    """
    axes = [tuple(axes) for pair in dimension_numbers for axes in pair]
    ours = (
        lhs.ndim == rhs.ndim == 2
        and axes == [(1,), (0,), (), ()]
        and lhs.dtype == rhs.dtype == jnp.float32
        and preferred_element_type in (None, jnp.float32)
        and out_sharding is None
        and not is_left_to_lax(lhs, rhs)
        and len(lhs) > 1
        and (_is_narrow(len(lhs), rhs.shape) or _is_large(len(lhs), rhs.shape))
    )
    if not ours:
        return lax.dot_general(
            lhs, rhs, dimension_numbers, precision, preferred_element_type,
            out_sharding=out_sharding,
        )  # fmt: skip
    held = jax.config.jax_default_matmul_precision  # pyright: ignore[reportAttributeAccessIssue]
    how = held if precision is None else precision
    # Of examples in turned order XLA would compute everything everywhere.
    return by_device(lambda x, w: _product.forward(x, w, how), lhs, rhs)


def _is_large(examples: int, kernel: tuple[int, ...]) -> bool:
    return examples <= _FEW and math.prod(kernel) >= _LARGE


def _is_narrow(examples: int, kernel: tuple[int, ...]) -> bool:
    return kernel[0] >= _NARROW * kernel[1] and kernel[1] <= examples


def _dot(a: jax.Array, b: jax.Array, over: tuple[int, int], how: lax.PrecisionLike) -> jax.Array:
    return lax.dot_general(a, b, (((over[0],), (over[1],)), ((), ())), how)


def _by_x(y: jax.Array, w: jax.Array, how: lax.PrecisionLike) -> jax.Array:
    if not _is_large(len(y), w.shape):
        return _NATIVE.by_x(y, w, how)
    return once(_dot(w, once(y.T), (1, 0), how)).T


def _by_w(x: jax.Array, y: jax.Array, how: lax.PrecisionLike) -> jax.Array:
    if _is_narrow(len(x), (x.shape[1], y.shape[1])):
        return once(_dot(once(y.T), x, (1, 0), how)).T
    if len(x) > _VERY_FEW:
        return _NATIVE.by_w(x, y, how)
    return _dot(once(x.T), y, (1, 0), how)


_NATIVE = Products(
    lambda x, w, how: _dot(x, w, (1, 0), how),
    lambda y, w, how: _dot(y, w, (1, 1), how),
    lambda x, y, how: _dot(x, y, (0, 0), how),
)
_product = bilinear(
    "dense", default=_NATIVE, cpu=Products(_NATIVE.forward, _by_x, _by_w), example_axis=0
)
