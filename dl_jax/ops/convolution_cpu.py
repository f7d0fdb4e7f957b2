"""Convolutions of images on a CPU, where XLA's own are slow, and their gradients.

XLA's convolution at stride 1 shares its work between the cores when it is asked for a little more
than is needed (`ops.convolution_eigen`), at other strides when images lie side by side
(`ops.convolution_wide`); many channels under a 3x3 or 5x5 kernel go by Winograd's algorithm
(`ops.winograd_rows`). Either gradient XLA computes several times slower inside a loop; here the one
by the images stands as the convolution that it is, and the one by the kernel is another convolution
or a matrix product (`ops.kernel_gradient`). Some convolutions are a product over the windows too, a
block of them at a time. `docs/performance_notes.md` has the measurements behind each choice.
"""

import math

import jax
import jax.numpy as jnp
from jax import lax

from dl_jax.ops.bilinear import Products
from dl_jax.ops.convolution_eigen import by_eigen, goes_through_loops, pays_by_eigen, reaches_over
from dl_jax.ops.convolution_native import Convolution, native, padded
from dl_jax.ops.convolution_wide import images_a_row, side_by_side, with_padding
from dl_jax.ops.kernel_gradient import (
    by_w_as_convolution,
    by_w_as_product,
    pays_as_convolution,
)
from dl_jax.ops.once import once
from dl_jax.ops.window_blocks import blocks_of
from dl_jax.ops.winograd_rows import by_rows, by_w_by_rows, pays_by_rows

_MANY_TAPS = 3072  # products of an output, of which a matrix product makes better use
_PRODUCTS = 2**29  # of a gradient by the kernel, from which on Winograd's algorithm pays for it
_LARGE = 2**18  # numbers in a kernel, from which a pass over it takes its time
_SOME_TAPS = 256  # where the kernel is larger than the images, which XLA is slow at
_FEATURES = 12  # at least; a product with fewer is the slower one


def _forward(x: jax.Array, w: jax.Array, how: Convolution) -> jax.Array:
    if how.kernel == (1, 1):  # a product of the pixels that it sees, as they lie
        seen = padded(x, how.padding)[:, :: how.strides[0], :: how.strides[1]]
        return lax.dot_general(seen, w[0, 0], (((3,), (0,)), ((), ())), how.precision)
    if pays_by_rows(x.shape, w.shape, x.dtype, how):
        return by_rows(x, w, how)
    if pays_by_eigen(w.shape, x.dtype, how):
        return by_eigen(x, w, how)
    if goes_through_loops(w.shape, x.dtype, how):
        return _by_windows(x, w, how)
    number = images_a_row(len(x), w.shape, how)
    if number > 1:
        return side_by_side(x, w, how, number)
    return (_by_windows if _pays_by_windows(w.shape, how) else with_padding)(x, w, how)


def _pays_by_windows(w: tuple[int, ...], how: Convolution) -> bool:
    # With its taps apart a kernel that reaches over the image is one like any other for XLA.
    slow = reaches_over(how) and how.dilation == (1, 1)
    return math.prod(w[:3]) >= (_SOME_TAPS if slow else _MANY_TAPS) and w[3] >= _FEATURES


def _by_windows(x: jax.Array, w: jax.Array, how: Convolution) -> jax.Array:
    n = len(x)
    x = padded(x, how.padding)
    blocks = blocks_of(x.shape, how.windows)
    x = blocks.whole_images(x)
    kernel = w.reshape(-1, w.shape[3])

    def block(i: jax.Array) -> jax.Array:
        return jnp.matmul(blocks.taps(x, i), kernel, precision=how.precision)

    return blocks.joined(lax.map(block, jnp.arange(blocks.number)), n)


def _by_x(y: jax.Array, w: jax.Array, how: Convolution) -> jax.Array:
    """The convolution of y, its pixels laid S apart, by the kernel flipped in both directions."""
    if how.kernel == (1, 1):  # a product too, in which XLA takes the kernel as it lies
        return _apart(lax.dot_general(y, w[0, 0], (((3,), (1,)), ((), ())), how.precision), how)
    margins = []
    for i, o, k, s, d, (low, _) in zip(
        how.image, y.shape[1:3], how.kernel, how.strides, how.dilation, how.padding, strict=True
    ):
        margins.append((d * (k - 1) - low, i + low - (s * (o - 1) + 1)))
    flipped = _turned(w)
    full = how._replace(
        image=(y.shape[1], y.shape[2]), strides=(1, 1), padding=(margins[0], margins[1])
    )
    if how.strides == (1, 1):
        return _forward(y, flipped, full)
    return native(y, flipped, full, how.strides)


def _turned(w: jax.Array) -> jax.Array:
    """The kernel flipped in both directions, from features to channels.

    Both as one pass over a large kernel take four times as long as one after the other.
    """
    swapped = w.swapaxes(2, 3)
    return (once(swapped) if w.size >= _LARGE else swapped)[::-1, ::-1]


def _apart(d: jax.Array, how: Convolution) -> jax.Array:
    """Lay pixels S apart into an image of the size that it had, zeros between."""
    margins = [(0, 0, 0)]
    for i, o, s, (low, _) in zip(how.image, d.shape[1:3], how.strides, how.padding, strict=True):
        margins.append((-low, i + low - (s * (o - 1) + 1), s - 1))
    return lax.pad(d, jnp.zeros((), d.dtype), (*margins, (0, 0, 0)))


def _by_w(x: jax.Array, y: jax.Array, how: Convolution) -> jax.Array:
    kernel = (*how.kernel, x.shape[3], y.shape[3])
    turned = pays_as_convolution(x.shape, kernel, x.dtype, how)
    few = how.kernel == (5, 5) or y.size * math.prod(kernel[:3]) < _PRODUCTS
    if pays_by_rows(x.shape, kernel, x.dtype, how) and not (turned and few):
        return by_w_by_rows(x, y, how)
    return (by_w_as_convolution if turned else by_w_as_product)(x, y, how)


CPU = Products(_forward, _by_x, _by_w)
"""Convolution and its gradients on a CPU, without groups."""
