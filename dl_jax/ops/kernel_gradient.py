"""The gradient of a convolution by its kernel on a CPU, by one of two ways.

    dw[u, v, c, f] = sum_{n, i, j} x[n, S i + D u, S j + D v, c] dy[n, i, j, f]

for a stride S and a dilation D. It is a convolution of the images, their channels taken for
examples and their examples for channels, by dy as a kernel whose taps lie S apart; XLA computes
that well where its two arguments, laid out so, stay in a cache. And it is a matrix product, of the
windows of x with dy, a block of windows at a time, which copies each pixel as often as the kernel
has taps.
"""

import math

import jax
import jax.numpy as jnp
from jax import lax

from dl_jax.ops.convolution_native import Convolution, native, padded
from dl_jax.ops.once import once
from dl_jax.ops.sharding import varying_alike
from dl_jax.ops.window_blocks import blocks_of

_CACHED_BYTES = 12 * 2**20  # of x and dy
_EXAMPLES = 32  # a block, whole vectors of them; other numbers take up to twice as long
_FEATURES, _NARROW = 64, 32  # from which on a product uses the machine; few, for an example or two


def pays_as_convolution(
    x: tuple[int, ...], w: tuple[int, ...], dtype: jnp.dtype, how: Convolution
) -> bool:
    """Say whether the convolution is the faster way.

    Args:
        x: shape of the images.
        w: shape of the kernel.
        dtype: of both.
        how: the convolution's settings.
    """
    channels, features = w[2:]
    if dtype != jnp.float32 or how.kernel == (1, 1):
        return False
    if x[0] <= 2 and channels > 1 and features < _NARROW:  # XLA's has too few channels then
        return False
    size = 4 * x[0] * (math.prod(x[1:]) + math.prod(how.windows.output) * features)
    return features < _FEATURES or size <= _CACHED_BYTES


def by_w_as_convolution(x: jax.Array, y: jax.Array, how: Convolution) -> jax.Array:
    """Return the transpose in the kernel, `[k_h, k_w, c, f]`, as convolutions of 32 images each.

    As one where there are fewer, or a number that is no multiple.

    Args:
        x: images, `[n, h, w, c]`.
        y: of the shape of the outputs.
        how: the convolution's settings.
    """
    n = len(x)
    if n <= _EXAMPLES or n % _EXAMPLES:
        return _turned(x, y, how)
    number = n // _EXAMPLES
    x, y = (a.reshape(number, _EXAMPLES, *a.shape[1:]) for a in (x, y))
    zeros = jnp.zeros((*how.kernel, x.shape[-1], y.shape[-1]), x.dtype)
    zeros, *_ = varying_alike(zeros, x, y)
    return lax.fori_loop(0, number, lambda i, total: total + _turned(x[i], y[i], how), zeros)


def _turned(x: jax.Array, y: jax.Array, how: Convolution) -> jax.Array:
    """The convolution of all examples at once."""
    sides = zip(
        how.image, y.shape[1:3], how.kernel, how.strides, how.dilation, how.padding, strict=True
    )
    margins = [(low, d * (k - 1) + s * (o - 1) + 1 - i - low) for i, o, k, s, d, (low, _) in sides]
    # What no window sees is cut off, so that XLA has no margin to crop.
    rows, columns = ((min(low, 0), min(high, 0)) for low, high in margins)
    x = padded(x, (rows, columns))
    rows, columns = ((max(low, 0), max(high, 0)) for low, high in margins)
    turned = how._replace(
        image=(x.shape[1], x.shape[2]),
        kernel=(y.shape[1], y.shape[2]),
        strides=how.dilation,
        dilation=how.strides,
        padding=(rows, columns),
    )
    # Laid out beforehand: of a transpose that it may fold in, XLA makes a slower convolution.
    d = native(once(x.transpose(3, 1, 2, 0)), once(y.transpose(1, 2, 0, 3)), turned)
    return d.transpose(1, 2, 0, 3)


def by_w_as_product(x: jax.Array, y: jax.Array, how: Convolution) -> jax.Array:
    """Return the same over all windows, as the product of the pixels under the taps with y.

    Args:
        x: images, `[n, h, w, c]`.
        y: of the shape of the outputs.
        how: the convolution's settings.
    """
    taps, features = math.prod(how.kernel) * x.shape[3], y.shape[3]
    # XLA's product has to turn its first factor. Of a single block it would swap them back.
    swapped = taps > features
    x = padded(x, how.padding)
    blocks = blocks_of(x.shape, how.windows, cut=swapped)
    x, y = blocks.whole_images(x), blocks.whole_outputs(y)

    wide = jnp.promote_types(x.dtype, jnp.float32)  # in which the blocks add up

    def block(i: jax.Array) -> jax.Array:
        first, second = blocks.taps(x, i), blocks.outputs(y, i)
        if swapped:
            first, second = second, first
        rows = (((0,), (0,)), ((), ()))
        return lax.dot_general(first, second, rows, how.precision, wide)

    zeros = jnp.zeros((features, taps) if swapped else (taps, features), wide)
    zeros, *_ = varying_alike(zeros, x, y)
    total = lax.fori_loop(0, blocks.number, lambda i, sum_: sum_ + block(i), zeros)
    total = total.T if swapped else total
    return total.astype(x.dtype).reshape(*how.kernel, x.shape[3], features)
