"""Pooling: the largest or the mean value of each window."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from dl_jax.ops.patches import is_sharded


def max_pool(
    inputs: Float[Array, "n h w c"],
    window_shape: Sequence[int],
    strides: Sequence[int] | None = None,
    padding: str | Sequence[tuple[int, int]] = "VALID",
) -> Float[Array, "n out_h out_w c"]:
    """Return the largest value of each window, `O = (I - P_s) / S + 1` of them a side.

    Where several values of a window are equally large, the gradient goes to the first in row-major
    order, as in `jax.lax`. The arguments are those of `flax.linen.max_pool`, for images. Slides
    "Pooling" and "Output Size in Pooling".

    Args:
        inputs: images or feature maps.
        window_shape: height and width of the window.
        strides: distance between windows; 1 unless given, as in Flax.
        padding: `"VALID"`, `"SAME"`, or (before, after) for each side.

    Raises:
        ValueError: if inputs, window and padding are not those of images.
    """
    window, steps, pads = _geometry(inputs, window_shape, strides, padding)

    def native(x: jax.Array) -> jax.Array:
        return lax.reduce_window(x, -np.inf, lax.max, window, steps, pads)

    if window == steps and not np.any(pads) and not is_sharded(inputs):
        tiled = jax.checkpoint(lambda x: _max_of_tiles(x, window), prevent_cse=False)
        return lax.platform_dependent(inputs, cpu=tiled, default=native)
    return native(inputs)


def avg_pool(
    inputs: Float[Array, "n h w c"],
    window_shape: Sequence[int],
    strides: Sequence[int] | None = None,
    padding: str | Sequence[tuple[int, int]] = "VALID",
) -> Float[Array, "n out_h out_w c"]:
    """Return the mean of each window. Slide "Pooling".

    The arguments are those of `flax.linen.avg_pool`, for images; padded zeros count as values of
    their window, as there.

    Args:
        inputs: images or feature maps.
        window_shape: height and width of the window.
        strides: distance between windows; 1 unless given, as in Flax.
        padding: `"VALID"`, `"SAME"`, or (before, after) for each side.

    Raises:
        ValueError: if inputs, window and padding are not those of images.
    """
    window, steps, pads = _geometry(inputs, window_shape, strides, padding)
    return lax.reduce_window(inputs, 0.0, lax.add, window, steps, pads) / np.prod(window)


Pads = tuple[tuple[int, int], ...]


def _geometry(
    inputs: jax.Array,
    window_shape: Sequence[int],
    strides: Sequence[int] | None,
    padding: str | Sequence[tuple[int, int]],
) -> tuple[tuple[int, ...], tuple[int, ...], Pads]:
    """Window, strides and padding over all four axes."""
    if inputs.ndim != 4 or len(window_shape) != 2:
        raise ValueError(
            "pooling: expected inputs [n, height, width, channels] and a window (height, width), "
            f"got inputs {inputs.shape} and window {tuple(window_shape)}"
        )
    window = (1, *window_shape, 1)
    steps = (1, *(strides or (1, 1)), 1)
    if isinstance(padding, str):
        return window, steps, tuple(lax.padtype_to_pads(inputs.shape, window, steps, padding))
    (top, bottom), (left, right) = padding
    return window, steps, ((0, 0), (top, bottom), (left, right), (0, 0))


def _max_of_tiles(x: jax.Array, window: tuple[int, ...]) -> jax.Array:
    """Pool windows that touch but do not overlap; its derivative compares instead of scattering.

    XLA's own derivative, `select_and_scatter`, is the slowest part of a small network on a CPU.
    """
    _, kh, kw, _ = window
    n, h, w, c = x.shape
    oh, ow = h // kh, w // kw

    def tiles(a: jax.Array) -> jax.Array:
        return a[:, : oh * kh, : ow * kw].reshape(n, oh, kh, ow, kw, c)

    @jax.custom_jvp
    def pool(x: jax.Array) -> jax.Array:
        return lax.reduce_window(x, -np.inf, lax.max, window, window, "VALID")

    @pool.defjvp
    def derivative(primals, tangents):
        y = pool(*primals)
        x = tiles(*primals)
        largest = (x == y[:, :, None, :, None]) | jnp.isnan(x)  # NaN is larger than all
        order = jnp.arange(kh * kw, dtype=jnp.uint8 if kh * kw < 256 else jnp.int32)
        order = order.reshape(1, 1, kh, 1, kw, 1)
        first = jnp.where(largest, order, kh * kw).min((2, 4), keepdims=True)
        return y, jnp.where(order == first, tiles(*tangents), 0).sum((2, 4))

    return pool(x)
