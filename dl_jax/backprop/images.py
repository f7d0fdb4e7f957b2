"""Convolution and pooling: a dense layer, a maximum and a mean over the windows of an image.

`ops.patches` takes the windows and `ops.fold`, its transpose, adds each window back to the pixels
that it covers; beyond these two, the derivations are those of the layers without windows.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from dl_jax import ops
from dl_jax.ops.patches import Windows, fold, patches

Image = Float[Array, "n h w c"]
Kernel = Float[Array, "k_h k_w c f"]
Output = Float[Array, "n out_h out_w c"]
Padding = str | Sequence[tuple[int, int]]


def conv_fwd(
    x: Image,
    w: Kernel,
    b: Float[Array, " f"],
    *,
    strides: Sequence[int] = (1, 1),
    padding: Padding = "VALID",
    dilation: Sequence[int] = (1, 1),
) -> tuple[Float[Array, "n out_h out_w f"], tuple[Image, Kernel]]:
    """Return `z_pf = sum_{a, c} x_{p S + a D - P, c} w_acf + b_f` of each image, and x and w.

    The index p runs over the positions of the kernel and a over its taps, in two dimensions each;
    x is 0 outside the image. Slides "Convolution Kernel", "Convolution Kernel and Bias".

    Args:
        x: images.
        w: the kernels.
        b: a bias for each kernel.
        strides: S, the distance between positions.
        padding: `"VALID"`, `"SAME"`, or (before, after) for each side, P before.
        dilation: D, the distance between taps.
    """
    layout = ("NHWC", "HWIO", "NHWC")
    z = ops.conv_general_dilated(
        x, w, strides, padding, rhs_dilation=dilation, dimension_numbers=layout
    )
    return z + b[None, None, None, :], (x, w)


def conv_bwd(
    residuals: tuple[Image, Kernel],
    d_z: Float[Array, "n out_h out_w f"],
    *,
    strides: Sequence[int] = (1, 1),
    padding: Padding = "VALID",
    dilation: Sequence[int] = (1, 1),
) -> tuple[Image, Kernel, Float[Array, " f"]]:
    """Return the gradients by x, w and b.

        dE/dw_acf = sum_{n, p} x_{p S + a D - P, c} dE/dz_pf
        dE/dx_qc  = sum_{p, a: p S + a D - P = q} sum_f w_acf dE/dz_pf
        dE/db_f   = sum_{n, p} dE/dz_pf

    With the windows as the rows of a matrix, `Xᵀ dZ`, `dZ Wᵀ` added back to the pixels that each
    window covers, and a sum: a dense layer's. At stride 1 the second is the lecture's convolution
    of dZ with the kernel flipped in both directions, since `p = q - a`.
    """
    x, w = residuals
    margins, windows = _windows(x, w.shape[:2], strides, padding, dilation)
    rows = d_z.reshape(-1, d_z.shape[-1])
    taps = patches(_pad(x, margins, 0.0), windows).reshape(len(rows), -1)
    d_w = (taps.T @ rows).reshape(w.shape)
    d_taps = rows @ w.reshape(-1, w.shape[-1]).T
    d_x = fold(d_taps.reshape(*d_z.shape[:3], *w.shape[:3]), windows)
    return _crop(d_x, margins), d_w, d_z.sum((0, 1, 2))


def max_pool_fwd(
    x: Image,
    *,
    window: Sequence[int],
    strides: Sequence[int],
    padding: Padding = "VALID",
) -> tuple[Output, tuple[Image, Output]]:
    """Return the largest value of each window, `[n, out_h, out_w, c]`, and it beside x.

    Slide "Pooling". What is padded never is the largest.
    """
    y = ops.max_pool(x, window, strides, padding)
    return y, (x, y)


def max_pool_bwd(
    residuals: tuple[Image, Output],
    d_y: Output,
    *,
    window: Sequence[int],
    strides: Sequence[int],
    padding: Padding = "VALID",
) -> tuple[Image]:
    """Return `dE/dx_q = sum of dE/dy_p` over the windows p whose largest value is at q.

    `dy_p/dx_q` is 1 at the largest value and 0 elsewhere. Where several values of a window are
    equally large there is no derivative; the first in row-major order gets it all, as in `jax.lax`.
    NaN passes on and gets the gradient, as in `ops.max_pool`.
    """
    x, y = residuals
    margins, windows = _windows(x, window, strides, padding)
    taps = patches(_pad(x, margins, -np.inf), windows)
    order = jnp.arange(taps.shape[3] * taps.shape[4], dtype=jnp.int32)
    order = order.reshape(1, 1, 1, *taps.shape[3:5], 1)
    largest = (taps == y[:, :, :, None, None]) | jnp.isnan(taps)  # NaN is larger than all
    first = jnp.where(largest, order, order.size).min((3, 4), keepdims=True)
    d_taps = jnp.where(order == first, d_y[:, :, :, None, None], 0)
    return (_crop(fold(d_taps, windows), margins),)


def avg_pool_fwd(
    x: Image,
    *,
    window: Sequence[int],
    strides: Sequence[int],
    padding: Padding = "VALID",
) -> tuple[Output, Image]:
    """Return the mean of each window, `[n, out_h, out_w, c]`, and x for its shape.

    Slide "Pooling". Padded zeros count as values of their window.
    """
    return ops.avg_pool(x, window, strides, padding), x


def avg_pool_bwd(
    x: Float[Array, "n h w c"],
    d_y: Output,
    *,
    window: Sequence[int],
    strides: Sequence[int],
    padding: Padding = "VALID",
) -> tuple[Image]:
    """Return `dE/dx_q = 1/(k_h k_w) sum of dE/dy_p` over the windows p that cover q."""
    margins, windows = _windows(x, window, strides, padding)
    shape = (*d_y.shape[:3], *windows.size, d_y.shape[-1])
    share = (d_y / np.prod(windows.size))[:, :, :, None, None]
    return (_crop(fold(jnp.broadcast_to(share, shape), windows), margins),)


def _windows(
    x: jax.Array,
    size: Sequence[int],
    strides: Sequence[int],
    padding: Padding,
    dilation: Sequence[int] = (1, 1),
) -> tuple[tuple[tuple[int, int], ...], Windows]:
    """The padding as (before, after) a side, and the windows of the padded image."""
    (kh, kw), (dh, dw) = size, dilation
    if isinstance(padding, str):
        extent = ((kh - 1) * dh + 1, (kw - 1) * dw + 1)
        padding = lax.padtype_to_pads(x.shape[1:3], extent, strides, padding)
    (top, bottom), (left, right) = padding
    image = (x.shape[1] + top + bottom, x.shape[2] + left + right)
    windows = Windows(image, (kh, kw), (strides[0], strides[1]), (dh, dw))
    return ((top, bottom), (left, right)), windows


def _pad(x: jax.Array, margins: tuple[tuple[int, int], ...], value: float) -> jax.Array:
    config = ((0, 0, 0), *((low, high, 0) for low, high in margins), (0, 0, 0))
    return lax.pad(x, jnp.asarray(value, x.dtype), config)


def _crop(d_x: jax.Array, margins: tuple[tuple[int, int], ...]) -> jax.Array:
    """The transpose of `_pad`: what fell on the padding is lost."""
    return _pad(d_x, tuple((-low, -high) for low, high in margins), 0.0)
