"""Pooling: the largest or the mean value of each window."""

import functools
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from dl_jax.ops.once import once
from dl_jax.ops.sharding import by_device, is_left_to_lax

Pads = tuple[tuple[int, int], ...]
_MOST_TAPS = 16  # in larger windows XLA's loops are the faster ones


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
        ValueError: if inputs, window, strides and padding are not those of images.
    """
    window, steps, pads = _geometry(inputs, window_shape, strides, padding)

    def native(x: jax.Array) -> jax.Array:
        return lax.reduce_window(x, -np.inf, lax.max, window, steps, pads)

    def by_taps(x: jax.Array) -> jax.Array:
        return _largest(x, lambda x, outside: _taps(x, outside, window, steps, pads))

    touching = window == steps and not np.any(pads)
    on_cuda = functools.partial(largest_of_tiles, window=window) if touching else native
    return _by_platform(by_taps, on_cuda, native, window, pads, inputs)


def avg_pool(
    inputs: Float[Array, "n h w c"],
    window_shape: Sequence[int],
    strides: Sequence[int] | None = None,
    padding: str | Sequence[tuple[int, int]] = "VALID",
    count_include_pad: bool = True,
) -> Float[Array, "n out_h out_w c"]:
    """Return the mean of each window. Slide "Pooling".

    The arguments are those of `flax.linen.avg_pool`, for images.

    Args:
        inputs: images or feature maps.
        window_shape: height and width of the window.
        strides: distance between windows; 1 unless given, as in Flax.
        padding: `"VALID"`, `"SAME"`, or (before, after) for each side.
        count_include_pad: whether padded zeros count as values of their window.

    Raises:
        ValueError: if inputs, window, strides and padding are not those of images.
    """
    window, steps, pads = _geometry(inputs, window_shape, strides, padding)

    def native(x: jax.Array) -> jax.Array:
        return lax.reduce_window(x, 0.0, lax.add, window, steps, pads)

    def by_taps(x: jax.Array) -> jax.Array:
        return functools.reduce(jnp.add, _taps(x, 0.0, window, steps, pads))

    values = np.prod(window)
    if not count_include_pad:
        values = native(jnp.ones((1, *inputs.shape[1:3], 1), inputs.dtype))
    return _by_platform(by_taps, native, native, window, pads, inputs) / values


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
    strides = (1, 1) if strides is None else strides
    pairs = [strides] if isinstance(padding, str) else [strides, padding, *padding]
    if any(len(pair) != 2 for pair in pairs):
        raise ValueError(
            "pooling: expected strides (down, right), and padding 'SAME', 'VALID' or ((top, "
            f"bottom), (left, right)), got strides {tuple(strides)} and padding {padding!r}"
        )
    window = (1, *window_shape, 1)
    steps = (1, *strides, 1)
    if isinstance(padding, str):
        return window, steps, tuple(lax.padtype_to_pads(inputs.shape, window, steps, padding))
    (top, bottom), (left, right) = padding
    return window, steps, ((0, 0), (top, bottom), (left, right), (0, 0))


def _by_platform(
    by_taps: Callable[[jax.Array], jax.Array],
    on_cuda: Callable[[jax.Array], jax.Array],
    native: Callable[[jax.Array], jax.Array],
    window: tuple[int, ...],
    pads: Pads,
    inputs: jax.Array,
) -> jax.Array:
    """Small windows tap by tap on a CPU and as tiles on a GPU, where XLA's own are slow.

    XLA has loops over windows for the former, and for the gradient on the latter a scatter.
    """
    sides = zip(inputs.shape, window, pads, strict=True)
    none = any(side + sum(pad) < size for side, size, pad in sides)
    if none or np.prod(window) > _MOST_TAPS or is_left_to_lax(inputs):
        return native(inputs)
    by_taps, on_cuda = (jax.checkpoint(f, prevent_cse=False) for f in (by_taps, on_cuda))
    on_cpu = functools.partial(by_device, by_taps)
    return lax.platform_dependent(inputs, cpu=on_cpu, cuda=on_cuda, default=native)


def _taps(
    x: jax.Array, outside: float, window: tuple[int, ...], steps: tuple[int, ...], pads: Pads
) -> list[jax.Array]:
    """The values of all windows at the same place, for each place in row-major order."""
    x = lax.pad(x, jnp.asarray(outside, x.dtype), [(low, high, 0) for low, high in pads])
    sizes = ((i - k) // s + 1 for i, k, s in zip(x.shape, window, steps, strict=True))
    spans = [s * (size - 1) + 1 for s, size in zip(steps, sizes, strict=True)]
    places = np.ndindex(*window)
    return [lax.slice(x, p, [a + b for a, b in zip(p, spans, strict=True)], steps) for p in places]


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def _largest(x: jax.Array, taps: Callable[[jax.Array, float], list[jax.Array]]) -> jax.Array:
    """The largest of the taps; its derivative compares, where XLA's searches and scatters."""
    return functools.reduce(jnp.maximum, taps(x, -np.inf))


@_largest.defjvp
def _largest_jvp(taps, primals, tangents):
    values, d_values = taps(*primals, -np.inf), taps(*tangents, 0.0)
    y, first = _first_largest(values)
    first = once(first)  # every tap would compare them all again
    return y, functools.reduce(
        jnp.add, (jnp.where(first == i, d, 0) for i, d in enumerate(d_values))
    )


def _first_largest(values: list[jax.Array]) -> tuple[jax.Array, jax.Array]:
    """The largest of some arrays, and which of them is the first to have it."""
    y = functools.reduce(jnp.maximum, values)
    first = jnp.full(y.shape, len(values), jnp.uint8)
    for i in reversed(range(len(values))):  # NaN is larger than all
        first = jnp.where((values[i] == y) | jnp.isnan(values[i]), jnp.uint8(i), first)
    return y, first


def largest_of_tiles(x: jax.Array, window: tuple[int, ...]) -> jax.Array:
    """The largest of each window, where these touch: the gradient is then one pass over x."""
    _, height, width, _ = window
    rows, columns = x.shape[1] // height, x.shape[2] // width
    x = x[:, : rows * height, : columns * width]
    tiles = x.reshape(len(x), rows, height, columns, width, x.shape[3]).swapaxes(2, 3)
    return _largest_of_tile(tiles.reshape(len(x), rows, columns, height * width, x.shape[3]))


@jax.custom_jvp
def _largest_of_tile(tiles: jax.Array) -> jax.Array:
    return functools.reduce(jnp.maximum, _places(tiles))


@_largest_of_tile.defjvp
def _largest_of_tile_jvp(primals, tangents):
    (tiles,), (d_tiles,) = primals, tangents
    y, first = _first_largest(_places(tiles))
    place = lax.broadcasted_iota(jnp.uint8, tiles.shape, tiles.ndim - 2)
    return y, jnp.where(first[..., None, :] == place, d_tiles, 0).sum(-2)


def _places(tiles: jax.Array) -> list[jax.Array]:
    return [tiles[..., i, :] for i in range(tiles.shape[-2])]
