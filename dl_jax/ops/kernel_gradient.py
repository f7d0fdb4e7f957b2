"""The gradient of a convolution by its kernel on a CPU, by one of two ways.

    dw[u, v, c, f] = sum_{n, i, j} x[n, S i + D u - P, S j + D v - P, c] dy[n, i, j, f]

for a stride S, a dilation D and a padding P. It is a convolution of the images, their channels
taken for examples and their examples for channels, by dy as a kernel whose taps lie S apart; XLA
computes that well where its two arguments, laid out so, stay in a cache. And it is a matrix
product, of the windows of x with dy, a block of windows at a time, which copies each pixel as often
as the kernel has taps.
"""

import math

import jax
import jax.numpy as jnp
from jax import lax

from dl_jax.ops.convolution_native import Convolution, native, padded
from dl_jax.ops.once import once
from dl_jax.ops.sharding import varying_alike
from dl_jax.ops.window_blocks import blocks_of

_CACHED_BYTES = 12 * 2**20  # of x and dy, all of them; of more the product is as fast
_TOGETHER = 32  # examples; 25 or 43 take twice as long, so what is no multiple stays whole
_FEATURES = 64  # from which on a product uses the machine
_ALONE, _NARROW = 2, 32  # examples, as channels too few for as few features


def pays_as_convolution(
    x: tuple[int, ...], w: tuple[int, ...], dtype: jnp.dtype, how: Convolution
) -> bool:
    """Say whether the convolution is the faster way; in float32, in which it was measured.

    Args:
        x: shape of the images.
        w: shape of the kernel.
        dtype: of both.
        how: the convolution's settings.
    """
    channels, features = w[2:]
    if dtype != jnp.float32 or how.kernel == (1, 1):
        return False
    if x[0] <= _ALONE and channels > 1 and features < _NARROW:
        return False
    size = 4 * x[0] * (math.prod(x[1:]) + math.prod(how.windows.output) * features)
    return features < _FEATURES or size <= _CACHED_BYTES


def by_w_as_convolution(x: jax.Array, y: jax.Array, how: Convolution) -> jax.Array:
    """Return the transpose in the kernel, `[k_h, k_w, c, f]`, as a convolution.

    Of 32 images at a time, or of all where their number is no multiple.

    Args:
        x: images, `[n, h, w, c]`.
        y: of the shape of the outputs.
        how: the convolution's settings.
    """
    n = len(x)
    if n <= _TOGETHER or n % _TOGETHER:
        return _all_at_once(x, y, how)
    number = n // _TOGETHER
    x, y = (a.reshape(number, _TOGETHER, *a.shape[1:]) for a in (x, y))
    zeros = jnp.zeros((*how.kernel, x.shape[-1], y.shape[-1]), x.dtype)
    zeros, *_ = varying_alike(zeros, x, y)
    return lax.fori_loop(0, number, lambda i, total: total + _all_at_once(x[i], y[i], how), zeros)


def _all_at_once(x: jax.Array, y: jax.Array, how: Convolution) -> jax.Array:
    margins = []  # negative ones, where there are pixels that no window sees
    for i, o, k, s, d, (low, _) in zip(
        how.image, y.shape[1:3], how.kernel, how.strides, how.dilation, how.padding, strict=True
    ):
        margins.append((low, d * (k - 1) + s * (o - 1) + 1 - i - low))
    turned = how._replace(
        kernel=(y.shape[1], y.shape[2]),
        strides=how.dilation,
        dilation=how.strides,
        padding=(margins[0], margins[1]),
    )
    # Laid out beforehand: of a transpose that it may fold in, XLA makes a slower convolution.
    d = native(once(x.transpose(3, 1, 2, 0)), once(y.transpose(1, 2, 0, 3)), turned)
    return d.transpose(1, 2, 0, 3)


def by_w_as_product(x: jax.Array, y: jax.Array, how: Convolution) -> jax.Array:
    """Return the transpose in the kernel, `[k_h, k_w, c, f]`, as a product over all windows.

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
