"""Convolutions at stride 1 by the library of XLA for a CPU that shares them between all cores.

XLA computes a convolution by one of two libraries. YNNPACK shares it by blocks of 64 features,
which leaves a core idle more often than not, and takes two or three times as long where there is no
padding; Eigen, which shares it anyhow, gets what the first one does not take: among others whatever
has outputs larger than its images (`IsConvolutionOpSupportedByYnn` in XLA's `ynn_support.cc`). So a
row or a column more is asked for, and cut off again. In float64 there is no Eigen: what YNNPACK
does not take goes through plain loops, ten times as slow or worse.
"""

import math

import jax
import jax.numpy as jnp

from dl_jax.ops.convolution_native import Convolution, native

_NARROW = 16  # channels and features, up to which Eigen is asked anyhow
_FEATURES = 12  # at least; of fewer, as in a gradient by images of three channels, it is slower
_TAPS = 128  # at least; below, Eigen is the slower one
_LOOPED_TAPS = 64  # from which on plain loops are the slower ones
_MORE = 0.5  # of the outputs: at most so many more are asked for


def pays_by_eigen(w: tuple[int, ...], dtype: jnp.dtype, how: Convolution) -> bool:
    """Say whether a convolution is faster so.

    Args:
        w: shape of the kernel, `[kernel_h, kernel_w, c, features]`.
        dtype: of images and kernel.
        how: strides, padding and dilation; one group.
    """
    return (
        dtype != jnp.float64
        and how.strides == (1, 1) != how.kernel  # which is a matrix product
        and max(w[2:]) > _NARROW
        and w[3] >= _FEATURES
        and math.prod(w[:3]) >= _TAPS
        and not reaches_over(how)
        and asks_for_little(how)
    )


def asks_for_little(how: Convolution) -> bool:
    """Say whether the outputs that are asked for, and cut off again, are few."""
    _, more, outputs = _cheapest(how)
    return more <= _MORE * outputs


def reaches_over(how: Convolution) -> bool:
    """Say whether the kernel is larger than the images: neither library computes that well."""
    return any(
        d * (k - 1) >= i for i, k, d in zip(how.image, how.kernel, how.dilation, strict=True)
    )


def goes_through_loops(w: tuple[int, ...], dtype: jnp.dtype, how: Convolution) -> bool:
    """Say whether XLA has neither library for a convolution, and more than a little to do.

    Args:
        w: shape of the kernel, `[kernel_h, kernel_w, c, features]`.
        dtype: of images and kernel.
        how: strides, padding and dilation; one group.
    """
    larger = any(o > i for i, o in zip(how.image, how.windows.output, strict=True))
    return dtype == jnp.float64 and larger and math.prod(w[:3]) >= _LOOPED_TAPS


def by_eigen(x: jax.Array, w: jax.Array, how: Convolution) -> jax.Array:
    """Return the convolution.

    Args:
        x: images, `[n, h, w, c]`.
        w: the kernel, `[kernel_h, kernel_w, c, features]`.
        how: padding and dilation; stride 1, one group.
    """
    axis, more, outputs = _cheapest(how)
    if more == 0:
        return native(x, w, how)
    rows, columns = how.padding
    if axis == 0:
        wider = how._replace(padding=((rows[0], rows[1] + more), columns))
        return native(x, w, wider)[:, :outputs]
    wider = how._replace(padding=(rows, (columns[0], columns[1] + more)))
    return native(x, w, wider)[:, :, :outputs]


def _cheapest(how: Convolution) -> tuple[int, int, int]:
    """Along which axis the fewest outputs more are one more than the images have pixels.

    Returns:
        The axis, 0 for rows; how many more along it; how many there are without them.
    """
    found = []
    for axis, (image, outputs) in enumerate(zip(how.image, how.windows.output, strict=True)):
        more = max(0, image + 1 - outputs)
        found.append((more / max(outputs, 1), axis, more, outputs))
    return min(found)[1:]
