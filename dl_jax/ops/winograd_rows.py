"""Winograd's algorithm F(2, 3) along the rows of any 3x3 convolution at stride 1; see `winograd`.

The four sums of pixels are images of half the width, each convolved with a kernel of one column;
the two columns of outputs are put back side by side.
"""

import jax
import jax.numpy as jnp
from jax import lax

from dl_jax.ops.bilinear import Product
from dl_jax.ops.convolution_eigen import by_eigen
from dl_jax.ops.convolution_native import Convolution, padded

# At least; below, the sums cost more than they save.
_CHANNELS, _PIXELS, _WIDTH = 64, 384, 4
# Sums that no cache holds, of more numbers in images and outputs, pay if there are many products.
_NUMBERS, _PRODUCTS, _MANY_CHANNELS = 5 * 2**20, 2**15, 128
# In a kernel's transpose products are all that there is: fewer channels do, of many pixels.
_SOME_CHANNELS, _MANY_PIXELS = 32, 2**14
_UNASKED = (None, lax.Precision.DEFAULT, "default")


def pays_by_rows(
    x: tuple[int, ...],
    w: tuple[int, ...],
    dtype: jnp.dtype,
    how: Convolution,
    *,
    by_w: bool = False,
) -> bool:
    """Say whether a convolution is faster so, and may round up to three times as much.

    Args:
        x: shape of the images.
        w: shape of the kernel.
        dtype: of both.
        how: the convolution's settings.
        by_w: whether its transpose in the kernel is asked about.
    """
    height, width = how.windows.output
    pixels = x[0] * height * width
    channels = min(w[2:])
    many = channels >= _MANY_CHANNELS
    if by_w:
        enough = many or (channels >= _SOME_CHANNELS and pixels >= _MANY_PIXELS)
    else:
        fits = pixels * (w[2] + w[3]) <= _NUMBERS
        enough = channels >= _CHANNELS and (fits or (many and w[2] * w[3] >= _PRODUCTS))
    plain = how.kernel == (3, 3) and how.strides == how.dilation == (1, 1)
    precision = how.precision if isinstance(how.precision, tuple) else (how.precision,)
    return (
        plain
        and dtype == jnp.float32
        and all(p in _UNASKED for p in precision)
        and enough
        and pixels >= _PIXELS
        and width >= _WIDTH
    )


def by_rows(x: jax.Array, w: jax.Array, how: Convolution) -> jax.Array:
    """Return the convolution.

    Args:
        x: images, `[n, h, w, c]`.
        w: `[3, 3, c, f]`.
        how: its settings.
    """
    width = how.windows.output[1]
    sums, alone = _sums(x, how)
    g0, g1, g2 = w[:, 0], w[:, 1], w[:, 2]
    outer = (g0 + g2) / 2
    kernels = (g0, outer + g1 / 2, outer - g1 / 2, g2)
    m0, m1, m2, m3 = (by_eigen(d, g[:, None], alone) for d, g in zip(sums, kernels, strict=True))
    y = jnp.stack([m0 + m1 + m2, m1 - m2 - m3], axis=3)
    return y.reshape(*y.shape[:2], -1, y.shape[4])[:, :, :width]


def by_w_by_rows(x: jax.Array, y: jax.Array, how: Convolution, by_w: Product) -> jax.Array:
    """Return its transpose in the kernel, `[3, 3, c, f]`.

    Args:
        x: images, `[n, h, w, c]`.
        y: of the shape of the outputs.
        how: the convolution's settings.
        by_w: the transpose of a convolution with a kernel of one column.
    """
    sums, alone = _sums(x, how)
    y = jnp.pad(y, ((0, 0), (0, 0), (0, y.shape[2] % 2), (0, 0)))
    even, odd = y[:, :, 0::2], y[:, :, 1::2]
    outputs = (even, even + odd, even - odd, -odd)
    p0, p1, p2, p3 = (by_w(d, m, alone)[:, 0] for d, m in zip(sums, outputs, strict=True))
    middle = (p1 + p2) / 2
    return jnp.stack([p0 + middle, (p1 - p2) / 2, middle + p3], axis=1)


def _sums(x: jax.Array, how: Convolution) -> tuple[tuple[jax.Array, ...], Convolution]:
    """The four sums of columns under each pair of outputs, and how each is convolved."""
    width = how.windows.output[1]
    pairs = -(-width // 2)
    top, (left, right) = how.padding[0], how.padding[1]
    x = padded(x, ((0, 0), (left, right + 2 * pairs - width)))

    def column(i: int) -> jax.Array:
        n, rows, _, channels = x.shape
        end = (n, rows, i + 2 * pairs - 1, channels)
        return lax.slice(x, (0, 0, i, 0), end, (1, 1, 2, 1))

    d0, d1, d2, d3 = map(column, range(4))
    alone = how._replace(image=(how.image[0], pairs), kernel=(3, 1), padding=(top, (0, 0)))
    return (d0 - d2, d1 + d2, d2 - d1, d1 - d3), alone
