"""Convolutions of images on an NVIDIA GPU: cuDNN's, but for the first layer of a network.

cuDNN multiplies channels by the eight, and pads what has fewer: images. Where a first layer's
windows are some pixels apart, the pixels between two of them become channels, and the same sums a
convolution at stride 1. Images of a single channel are a matrix product over their windows.
"""

import math

import jax
import jax.numpy as jnp
from jax import lax

from dl_jax.ops.bilinear import Products
from dl_jax.ops.convolution_native import NATIVE, Convolution, native, padded

_FEW_CHANNELS, _FEW_TAPS = 4, 32


def by_depth(x: jax.Array, w: jax.Array, how: Convolution) -> jax.Array:
    """Return the convolution, at stride 1 over blocks of pixels as large as the strides.

    The kernel's last blocks reach a little over what it sees, with zeros: a pixel that is no number
    makes the outputs of those windows none, too.

    Args:
        x: images.
        w: the kernel, filled up with zeros to whole blocks.
        how: strides and padding; one group, no dilation.
    """
    blocks = [-(-k // s) for k, s in zip(how.kernel, how.strides, strict=True)]
    margins, more = [], []
    for i, (low, _), k, s, b, o in zip(
        how.image, how.padding, how.kernel, how.strides, blocks, how.windows.output, strict=True
    ):
        margins.append((low, s * (o - 1 + b) - i - low))  # to whole blocks; below 0 they crop
        more.append((0, b * s - k, 0))
    x = _deep(padded(x, (margins[0], margins[1])), 1, how)
    w = _deep(lax.pad(w, jnp.zeros((), w.dtype), (*more, (0, 0, 0), (0, 0, 0))), 0, how)
    deep = how._replace(
        image=(x.shape[1], x.shape[2]), kernel=(blocks[0], blocks[1]),
        strides=(1, 1), padding=((0, 0), (0, 0)),
    )  # fmt: skip
    return native(x, w, deep)


def _deep(a: jax.Array, axis: int, how: Convolution) -> jax.Array:
    """The pixels of each block, rows from `axis` on and channels behind them, as channels."""
    (rows, columns), (height, width, channels, *rest) = how.strides, a.shape[axis:]
    shape = (height // rows, rows, width // columns, columns, channels)
    a = a.reshape(*a.shape[:axis], *shape, *rest).swapaxes(axis + 1, axis + 2)
    return a.reshape(*a.shape[: axis + 2], rows * columns * channels, *rest)


def by_windows(x: jax.Array, w: jax.Array, how: Convolution) -> jax.Array:
    """Return the convolution of images of one channel, as a matrix product over their windows.

    Args:
        x: images.
        w: the kernel.
        how: strides, padding and dilation; one group.
    """
    return jnp.matmul(_windows(x, how), w.reshape(-1, w.shape[3]), precision=how.precision)


def by_w_by_windows(x: jax.Array, y: jax.Array, how: Convolution) -> jax.Array:
    """Return the transpose of `by_windows` in the kernel."""
    wide = jnp.promote_types(x.dtype, jnp.float32)
    all_windows = (((0, 1, 2), (0, 1, 2)), ((), ()))
    d_w = lax.dot_general(_windows(x, how), y, all_windows, how.precision, wide)
    return d_w.astype(x.dtype).reshape(*how.kernel, 1, y.shape[3])


def _windows(x: jax.Array, how: Convolution) -> jax.Array:
    """The pixels under the taps, `[n, out_h, out_w, taps]`."""
    x, (down, right), (apart_h, apart_w) = padded(x, how.padding)[..., 0], how.strides, how.dilation
    height, width = (s * (o - 1) + 1 for o, s in zip(how.windows.output, how.strides, strict=True))
    taps = [
        x[:, top : top + height : down, left : left + width : right]
        for top in range(0, how.kernel[0] * apart_h, apart_h)
        for left in range(0, how.kernel[1] * apart_w, apart_w)
    ]
    return jnp.stack(taps, axis=-1)


def _by_w_by_depth(x: jax.Array, y: jax.Array, how: Convolution) -> jax.Array:
    w = jax.ShapeDtypeStruct((*how.kernel, x.shape[3], y.shape[3]), x.dtype)
    (d_w,) = jax.linear_transpose(lambda w: by_depth(x, w, how), w)(y)
    return d_w


_BY_DEPTH = Products(by_depth, NATIVE.by_x, _by_w_by_depth)
_BY_WINDOWS = Products(by_windows, NATIVE.by_x, by_w_by_windows)


def _chosen(channels: int, how: Convolution) -> Products:
    if how.groups > 1 or channels > _FEW_CHANNELS:
        return NATIVE
    if channels == 1 and math.prod(how.kernel) <= _FEW_TAPS:
        return _BY_WINDOWS
    apart = max(how.strides) > 1 == max(how.dilation)
    fits = all(k >= s for k, s in zip(how.kernel, how.strides, strict=True))
    return _BY_DEPTH if apart and fits else NATIVE


GPU = Products(
    lambda x, w, how: _chosen(x.shape[3], how).forward(x, w, how),
    lambda y, w, how: _chosen(w.shape[2], how).by_x(y, w, how),
    lambda x, y, how: _chosen(x.shape[3], how).by_w(x, y, how),
)
"""Convolution and its gradients on an NVIDIA GPU."""
