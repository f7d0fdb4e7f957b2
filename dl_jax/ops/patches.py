"""The windows of an image as rows of a matrix, and the transpose of that map.

A convolution is a matrix product over the windows that its kernel sees. Taking the windows is
linear, and its transpose adds each window back to where it came from. Both are one primitive
each, so that all of JAX's transformations (forward and reverse mode to any order, vmap, scan)
pass through them, while each compiles to the form that XLA runs fast on a CPU: a gather of whole
channel rows one way, shifted additions the other.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core
from jax.interpreters import ad, batching, mlir
from jaxtyping import Array, Num

_FEW_CHANNELS, _MANY_TAPS = 8, 49


class Windows(NamedTuple):
    """Which pixels each window covers.

    Attributes:
        image: height and width of the image.
        size: height and width of a window, in taps.
        strides: how far apart neighbouring windows are, in pixels.
        dilation: how far apart neighbouring taps of one window are, in pixels.
    """

    image: tuple[int, int]
    size: tuple[int, int]
    strides: tuple[int, int]
    dilation: tuple[int, int]

    @property
    def output(self) -> tuple[int, int]:
        """Windows per column and row, `O = floor((I - D (K - 1) - 1) / S) + 1`."""
        sides = zip(self.image, self.size, self.strides, self.dilation, strict=True)
        height, width = ((i - d * (k - 1) - 1) // s + 1 for i, k, s, d in sides)
        return height, width


def patches(
    x: Num[Array, "n h w c"], windows: Windows
) -> Num[Array, "n out_h out_w taps_h taps_w c"]:
    """Return the pixels that each window covers.

    Args:
        x: images.
        windows: the geometry; `windows.image` is `(h, w)`.
    """
    return patches_p.bind(x, windows=windows)


def fold(p: Num[Array, "n out_h out_w taps_h taps_w c"], windows: Windows) -> Num[Array, "n h w c"]:
    """Add each window back to the pixels that it covers: the transpose of `patches`."""
    return fold_p.bind(p, windows=windows)


def _gather_rows(x: jax.Array, *, windows: Windows) -> jax.Array:
    (h, w), (kh, kw), (sh, sw), (dh, dw) = windows
    oh, ow = windows.output
    if _are_tiles(windows):
        tiles = x[:, : oh * kh, : ow * kw].reshape(len(x), oh, kh, ow, kw, x.shape[-1])
        return tiles.swapaxes(2, 3)
    n, c = x.shape[0], x.shape[-1]
    if c < _FEW_CHANNELS and kh * kw >= _MANY_TAPS:  # rows too short to be found one by one
        ends = [(i * dh, i * dh + sh * (oh - 1) + 1) for i in range(kh)]
        sides = [(j * dw, j * dw + sw * (ow - 1) + 1) for j in range(kw)]
        taps = [x[:, top:bottom:sh, left:right:sw] for top, bottom in ends for left, right in sides]
        return jnp.concatenate(taps, axis=-1).reshape(n, oh, ow, kh, kw, c)
    rows = np.arange(oh)[:, None] * sh + np.arange(kh)[None, :] * dh
    columns = np.arange(ow)[:, None] * sw + np.arange(kw)[None, :] * dw
    index = rows[:, None, :, None] * w + columns[None, :, None, :]
    return x.reshape(n, h * w, c)[:, index.reshape(-1)].reshape(n, oh, ow, kh, kw, c)


def _add_shifted(p: jax.Array, *, windows: Windows) -> jax.Array:
    (h, w), (kh, kw), (sh, sw), (dh, dw) = windows
    oh, ow = windows.output
    if _are_tiles(windows):
        image = p.swapaxes(2, 3).reshape(len(p), oh * kh, ow * kw, p.shape[-1])
        margins = ((0, 0, 0), (0, h - oh * kh, 0), (0, w - ow * kw, 0), (0, 0, 0))
        return jax.lax.pad(image, jnp.zeros((), p.dtype), margins)
    # The taps add up in float32 at least, as in XLA's own convolutions.
    wide = p.astype(jnp.promote_types(p.dtype, jnp.float32))

    def placed(i: int, j: int) -> jax.Array:
        below, right = h - i * dh - (oh - 1) * sh - 1, w - j * dw - (ow - 1) * sw - 1
        config = ((0, 0, 0), (i * dh, below, sh - 1), (j * dw, right, sw - 1), (0, 0, 0))
        return jax.lax.pad(wide[:, :, :, i, j], jnp.zeros((), wide.dtype), config)

    total = functools.reduce(jnp.add, (placed(i, j) for i in range(kh) for j in range(kw)))
    return total.astype(p.dtype)


def _are_tiles(windows: Windows) -> bool:
    """Whether the windows touch and do not overlap, so that each pixel moves to one place."""
    return windows.size == windows.strides and windows.dilation == (1, 1)


def _linear_primitive(name, function, output_shape):
    """Make a primitive of a function that is linear and acts on each example alone."""
    primitive = core.Primitive(name)
    primitive.def_impl(jax.jit(function, static_argnames="windows"))
    primitive.def_abstract_eval(
        lambda x, *, windows: x.update(shape=output_shape(x.shape, windows), weak_type=False)
    )
    mlir.register_lowering(primitive, mlir.lower_fun(function, multiple_results=False))

    def batched(args, dims, *, windows):
        x = jnp.moveaxis(args[0], dims[0], 0)
        out = primitive.bind(x.reshape(-1, *x.shape[2:]), windows=windows)
        return out.reshape(*x.shape[:2], *out.shape[1:]), 0

    batching.primitive_batchers[primitive] = batched
    return primitive


patches_p = _linear_primitive(
    "patches", _gather_rows, lambda shape, g: (shape[0], *g.output, *g.size, shape[-1])
)
fold_p = _linear_primitive("fold", _add_shifted, lambda shape, g: (shape[0], *g.image, shape[-1]))
ad.deflinear2(patches_p, lambda dp, _, *, windows: [fold_p.bind(dp, windows=windows)])
ad.deflinear2(fold_p, lambda dx, _, *, windows: [patches_p.bind(dx, windows=windows)])
