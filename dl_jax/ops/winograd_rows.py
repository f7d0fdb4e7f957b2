"""Winograd's algorithm along the rows of convolutions at stride 1, by the method of Toom and Cook.

The product of two polynomials, of m and of r = 7 - m coefficients u and g, has degree 5 and is
known by its values at six points p: 0, 1, -1, 2, -1/2, and infinity, its leading coefficient. Its
coefficients, each times one of six pixels d, are together the sum of u_k y_k over the m outputs

    y_k = sum_i g_i d_{k+i} = sum_j p_j^k (sum_i p_j^i g_i / N_j) (sum_i b_ji d_i)

of a row, with `N_j = prod_l (p_j - p_l)` and b_j the coefficients of `prod_l (z - p_l)`, both over
the finite points but p_j. At infinity p^k and p^i are 1 for the last k and the last i, 0 otherwise,
and N is 1. So there are six products in place of m r, as F(4, 3) and F(2, 5) (Winograd 1980; Lavin
and Gray 2016, "Fast Algorithms for Convolutional Neural Networks"; on points that round little,
Barabasz et al. 2020, "Error Analysis and Improving the Accuracy of Winograd Convolution for Deep
Neural Networks"). The sums of pixels are images of 1/m of the width, each convolved with a kernel
of one column.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from dl_jax.ops.convolution_eigen import asks_for_little, by_eigen, reaches_over
from dl_jax.ops.convolution_native import Convolution, padded
from dl_jax.ops.kernel_gradient import by_w_as_product

_POINTS = np.array([0, 1, -1, 2, -1 / 2])
_SIZE = len(_POINTS) + 1  # of a tile of pixels, and products
_CHANNELS, _PIXELS, _WIDTH = 32, 384, 4  # at least; below, the sums cost more than they save
_PRODUCTS = 0.7  # of those without, at most; of a row of five more, for its last tile is half empty
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
    (height, width), taps = how.windows.output, how.kernel[1]
    precision = how.precision if isinstance(how.precision, tuple) else (how.precision,)
    return (
        how.kernel in _KERNELS
        and how.strides == how.dilation == (1, 1)
        and dtype == jnp.float32
        and all(p in _UNASKED for p in precision)
        and min(w[2:]) >= _CHANNELS
        and x[0] * height * width >= _PIXELS
        and width >= _WIDTH
        and _SIZE * _columns(how).image[1] <= _PRODUCTS * width * taps
        and not reaches_over(how)
        and asks_for_little(_columns(how))
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


def by_w_by_rows(x: jax.Array, y: jax.Array, how: Convolution) -> jax.Array:
    """Return its transpose in the kernel, `[k_h, k_w, c, f]`.

    Args:
        x: images, `[n, h, w, c]`.
        y: of the shape of the outputs.
        how: the convolution's settings.
    """
    outputs, taps, _ = matrices(how.kernel[1])
    sums, alone = _sums(x, how)
    more = alone.image[1] * len(outputs) - y.shape[2]
    y = jnp.pad(y, ((0, 0), (0, 0), (0, more), (0, 0)))
    columns = [y[:, :, k :: len(outputs)] for k in range(len(outputs))]
    products = [
        by_w_as_product(d, _combined(factors, columns), alone)[:, 0]
        for d, factors in zip(sums, outputs.T, strict=True)
    ]
    return jnp.stack([_combined(factors, products) for factors in taps.T], axis=1)


def _sums(x: jax.Array, how: Convolution) -> tuple[list[jax.Array], Convolution]:
    """The six sums of columns under each tile of outputs, and how each is convolved."""
    outputs, _, pixels = matrices(how.kernel[1])
    alone, width, step = _columns(how), how.windows.output[1], len(outputs)
    tiles, (left, right) = alone.image[1], how.padding[1]
    x = padded(x, ((0, 0), (left, right + step * tiles - width)))

    def column(i: int) -> jax.Array:
        n, rows, _, channels = x.shape
        end = (n, rows, i + step * (tiles - 1) + 1, channels)
        return lax.slice(x, (0, 0, i, 0), end, (1, 1, step, 1))

    columns = list(map(column, range(_SIZE)))
    return [_combined(factors, columns) for factors in pixels], alone


def _columns(how: Convolution) -> Convolution:
    """The settings of the convolution of each sum: as wide as there are tiles."""
    tiles = -(-how.windows.output[1] // (_SIZE + 1 - how.kernel[1]))
    return how._replace(
        image=(how.image[0], tiles),
        kernel=(how.kernel[0], 1),
        padding=(how.padding[0], (0, 0)),
    )


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
