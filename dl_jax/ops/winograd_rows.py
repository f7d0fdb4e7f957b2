"""Winograd's algorithm along the rows of convolutions at stride 1, by the method of Toom and Cook.

Outputs of a row are coefficients of a product of polynomials, and a product of degree 5 is known by
its values at six points p: at 0, 1, -1, 2, -1/2, and at infinity, its leading coefficient. So m
outputs y of r = 7 - m taps g and of six pixels d take six products instead of m r, F(4, 3) and
F(2, 5):

    y_k = sum_j p_j^k (sum_i p_j^i g_i / N_j) (sum_i b_ji d_i),   N_j = prod_{l != j} (p_j - p_l)

with b_j the coefficients of prod_{l != j} (z - p_l), and at infinity the last terms alone
(Winograd 1980; Lavin and Gray 2016, "Fast Algorithms for Convolutional Neural Networks"; on points
that round little, Barabasz et al. 2020, "Error Analysis and Improving the Accuracy of Winograd
Convolution for Deep Neural Networks"). The sums of pixels are images of 1/m of the width, each
convolved with a kernel of one column.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from dl_jax.ops.bilinear import Product
from dl_jax.ops.convolution_eigen import by_eigen, reaches_over
from dl_jax.ops.convolution_native import Convolution, padded

_POINTS = np.array([0, 1, -1, 2, -1 / 2])
_SIZE = len(_POINTS) + 1  # of a tile of pixels, and products
_CHANNELS, _PIXELS, _WIDTH = 32, 384, 4  # at least; below, the sums cost more than they save
_KERNELS = ((3, 3), (5, 5))
_UNASKED = (None, lax.Precision.DEFAULT, "default")


def pays_by_rows(
    x: tuple[int, ...], w: tuple[int, ...], dtype: jnp.dtype, how: Convolution
) -> bool:
    """Say whether a convolution and its gradients are faster so; they round three times as much.

    Args:
        x: shape of the images.
        w: shape of the kernel.
        dtype: of both.
        how: the convolution's settings.
    """
    height, width = how.windows.output
    precision = how.precision if isinstance(how.precision, tuple) else (how.precision,)
    return (
        how.kernel in _KERNELS
        and how.strides == how.dilation == (1, 1)
        and dtype == jnp.float32
        and all(p in _UNASKED for p in precision)
        and min(w[2:]) >= _CHANNELS
        and x[0] * height * width >= _PIXELS
        and width >= _WIDTH
        and not reaches_over(how)
    )


def by_rows(x: jax.Array, w: jax.Array, how: Convolution) -> jax.Array:
    """Return the convolution.

    Args:
        x: images, `[n, h, w, c]`.
        w: `[k_h, k_w, c, f]`.
        how: its settings.
    """
    width = how.windows.output[1]
    outputs, taps, _ = matrices(how.kernel[1])
    sums, alone = _sums(x, how)
    columns = [w[:, i : i + 1] for i in range(how.kernel[1])]
    products = [
        by_eigen(d, _combined(factors, columns), alone)
        for d, factors in zip(sums, taps, strict=True)
    ]
    y = jnp.stack([_combined(factors, products) for factors in outputs], axis=3)
    return y.reshape(*y.shape[:2], -1, y.shape[4])[:, :, :width]


def by_w_by_rows(x: jax.Array, y: jax.Array, how: Convolution, by_w: Product) -> jax.Array:
    """Return its transpose in the kernel, `[k_h, k_w, c, f]`.

    Args:
        x: images, `[n, h, w, c]`.
        y: of the shape of the outputs.
        how: the convolution's settings.
        by_w: the transpose of a convolution with a kernel of one column.
    """
    outputs, taps, _ = matrices(how.kernel[1])
    sums, alone = _sums(x, how)
    more = alone.image[1] * len(outputs) - y.shape[2]
    y = jnp.pad(y, ((0, 0), (0, 0), (0, more), (0, 0)))
    columns = [y[:, :, k :: len(outputs)] for k in range(len(outputs))]
    products = [
        by_w(d, _combined(factors, columns), alone)[:, 0]
        for d, factors in zip(sums, outputs.T, strict=True)
    ]
    return jnp.stack([_combined(factors, products) for factors in taps.T], axis=1)


def _sums(x: jax.Array, how: Convolution) -> tuple[list[jax.Array], Convolution]:
    """The six sums of columns under each tile of outputs, and how each is convolved."""
    outputs, _, pixels = matrices(how.kernel[1])
    width, step = how.windows.output[1], len(outputs)
    tiles = -(-width // step)
    top, (left, right) = how.padding
    x = padded(x, ((0, 0), (left, right + step * tiles - width)))

    def column(i: int) -> jax.Array:
        n, rows, _, channels = x.shape
        end = (n, rows, i + step * (tiles - 1) + 1, channels)
        return lax.slice(x, (0, 0, i, 0), end, (1, 1, step, 1))

    columns = list(map(column, range(_SIZE)))
    alone = how._replace(
        image=(how.image[0], tiles), kernel=(how.kernel[0], 1), padding=(top, (0, 0))
    )
    return [_combined(factors, columns) for factors in pixels], alone


def matrices(taps: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Factors of products in outputs, `[m, 6]`, of taps, `[6, r]`, and of pixels, `[6, 6]`."""
    outputs = _SIZE + 1 - taps
    others = [np.delete(_POINTS, j) for j in range(len(_POINTS))]
    scale = [np.prod(p - rest) for p, rest in zip(_POINTS, others, strict=True)]
    last = np.eye(_SIZE)[-1:]
    kernel = np.vander(_POINTS, taps, increasing=True) / np.array(scale)[:, None]
    pixels = [np.append(np.poly(rest)[::-1], 0) for rest in others]
    return (
        np.vstack([np.vander(_POINTS, outputs, increasing=True), last[:, -outputs:]]).T,
        np.vstack([kernel, last[:, -taps:]]),
        np.vstack([*pixels, np.poly(_POINTS)[::-1]]),
    )


def _combined(factors: Sequence[float] | np.ndarray, arrays: Sequence[jax.Array]) -> jax.Array:
    """The sum of the arrays, each times its factor."""
    terms = [float(f) * a for f, a in zip(factors, arrays, strict=True) if f]
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total
