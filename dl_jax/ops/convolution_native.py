"""Convolutions of images as XLA has them, with their settings."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from dl_jax.ops.bilinear import Products
from dl_jax.ops.patches import Windows

_LAYOUT = ("NHWC", "HWIO", "NHWC")
Pair = tuple[int, int]


class Convolution(NamedTuple):
    """The settings of a convolution of images `[n, h, w, c]` by `[k_h, k_w, c / groups, f]`.

    Attributes:
        image: height and width of the images.
        kernel: height and width of the kernel.
        strides: how far apart the windows are.
        padding: (before, after) for height and width; negative ones crop.
        dilation: how far apart the taps of the kernel are.
        groups: into which the channels and the features fall; f of a group see c of it alone.
        precision: of the products.
    """

    image: Pair
    kernel: Pair
    strides: Pair
    padding: tuple[Pair, Pair]
    dilation: Pair
    groups: int
    precision: lax.PrecisionLike

    @property
    def windows(self) -> Windows:
        """The windows of the padded images."""
        height, width = (i + sum(p) for i, p in zip(self.image, self.padding, strict=True))
        return Windows((height, width), self.kernel, self.strides, self.dilation)


def native(x: jax.Array, w: jax.Array, how: Convolution, apart: Pair = (1, 1)) -> jax.Array:
    """XLA's own; `apart` is how far apart the pixels of x are laid, its `lhs_dilation`."""
    return lax.conv_general_dilated(
        x, w, how.strides, how.padding, apart, how.dilation, _LAYOUT, how.groups,
        precision=how.precision,
    )  # fmt: skip


def _native_by_x(y: jax.Array, w: jax.Array, how: Convolution) -> jax.Array:
    x = jax.ShapeDtypeStruct((len(y), *how.image, w.shape[2] * how.groups), y.dtype)
    (d_x,) = jax.linear_transpose(lambda x: native(x, w, how), x)(y)
    return d_x


def _native_by_w(x: jax.Array, y: jax.Array, how: Convolution) -> jax.Array:
    w = jax.ShapeDtypeStruct((*how.kernel, x.shape[3] // how.groups, y.shape[3]), x.dtype)
    (d_w,) = jax.linear_transpose(lambda w: native(x, w, how), w)(y)
    return d_w


NATIVE = Products(native, _native_by_x, _native_by_w)
"""Convolution and its gradients by XLA, as `jax.lax` differentiates it."""


def padded(x: jax.Array, padding: tuple[Pair, Pair]) -> jax.Array:
    """Return the images with zeros around them, or cropped where the padding is negative."""
    margins = ((0, 0, 0), *((low, high, 0) for low, high in padding), (0, 0, 0))
    return lax.pad(x, jnp.zeros((), x.dtype), margins)
