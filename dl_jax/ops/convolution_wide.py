"""XLA's convolution at a stride or in float64, on a CPU, laid out so that it uses the machine.

It shares the work between cores by blocks of 64 features, so that 64 features keep one core of two
busy, and 192 keep one waiting half of the time; only where the outputs of an image are wide does it
cut them too. Images that lie side by side, with the padding between them, are as wide as is wanted.
And without any padding at all it takes two or three times as long. (`convolution_eigen` avoids both
at stride 1, in narrower numbers.)
"""

import math

import jax
import jax.numpy as jnp

from dl_jax.ops.convolution_native import Convolution, native

_BLOCK = 64  # features
_TAPS = 250  # at least; below, there is too little to do for a column more or a pass over images
_ALONE = 80_000  # taps of all features
_NARROW, _WIDE = 80, 224  # outputs a row: up to where it pays, and how many there should be
_ENOUGH = 100  # outputs a row; fewer are not worth it
_VERY_NARROW, _MANY_FEATURES = 16, 192  # where a quarter of two cores is not worth it either


def images_a_row(n: int, w: tuple[int, ...], how: Convolution) -> int:
    """Return how many of n images to lay side by side; 1 where each is convolved alone.

    Args:
        n: number of images.
        w: shape of the kernel, `[kernel_h, kernel_w, c, features]`.
        how: strides, padding and dilation; one group.
    """
    taps, features, width = math.prod(w[:3]), w[3], how.windows.output[1]
    if features < _BLOCK // 2 or taps < _TAPS or width > _NARROW:
        return 1
    busy = features / (2 * _BLOCK * -(-features // (2 * _BLOCK)))  # of two cores, by blocks alone
    if features * taps <= _ALONE and width <= _NARROW // 2:
        busy = min(busy, 0.5)  # too little for a second core, whatever the features
    if busy > 0.75 or (busy == 0.75 and width < _VERY_NARROW and features < _MANY_FEATURES):
        return 1
    most = min(n, 2 * _WIDE // max(width, 1))
    numbers = [m for m in range(1, most + 1) if n % m == 0]
    number = next((m for m in numbers if m * width >= _WIDE), max(numbers, default=1))
    return number if number * width >= _ENOUGH else 1


def side_by_side(x: jax.Array, w: jax.Array, how: Convolution, number: int) -> jax.Array:
    """Return the convolution of so many images at a time, a divisor of n.

    Each has a place of its own, as wide as it and the padding that it shares with the next one.

    Args:
        x: images, `[n, h, w, c]`.
        w: the kernel, `[kernel_h, kernel_w, c, features]`.
        how: strides, padding and dilation; one group.
        number: of images.
    """
    n, height, width, channels = x.shape
    stride, (before, _) = how.strides[1], how.padding[1]
    reach = how.dilation[1] * (how.kernel[1] - 1) + 1
    outputs = how.windows.output[1]
    # No window sees pixels of the next image, and each image's first one begins at a stride.
    sees = (outputs - 1) * stride + reach - before
    place = max(width + max(before, 0), sees, outputs * stride)
    place += -place % stride
    x = jnp.pad(x, ((0, 0), (0, 0), (0, place - width), (0, 0)))
    x = x.reshape(n // number, number, height, place, channels).swapaxes(1, 2)
    x = x.reshape(n // number, height, number * place, channels)
    behind = reach - stride - before  # as many outputs as places hold
    row = how._replace(image=(height, x.shape[2]), padding=(how.padding[0], (before, behind)))
    y = with_padding(x, w, row)
    y = y.reshape(n // number, y.shape[1], number, place // stride, y.shape[3])
    return y[:, :, :, :outputs].swapaxes(1, 2).reshape(n, y.shape[1], outputs, y.shape[4])


def with_padding(x: jax.Array, w: jax.Array, how: Convolution) -> jax.Array:
    """Return XLA's own convolution, but never one without any padding that is slower for that.

    A column of zeros behind the images, cut off again, is less work than what XLA does then.

    Args:
        x: images, `[n, h, w, c]`.
        w: the kernel, `[kernel_h, kernel_w, c, features]`.
        how: strides, padding and dilation; one group.
    """
    if any(map(any, how.padding)) or math.prod(w.shape[:3]) < _TAPS:
        return native(x, w, how)
    more = how._replace(padding=(how.padding[0], (0, 1)))
    return native(x, w, more)[:, :, : how.windows.output[1]]
