"""Winograd's algorithm F(5, 3) along the rows of tiles, for kernels three wide.

Five neighbours of a row of outputs are 7 products (`ops.toom_cook`) in place of 15; the last five
of a row may reach over its end. Rows and channels are summed as they are. The root mean square of
the rounding is up to 5.5 times that of the plain sums.

XLA reads what it sums for each of the seven sums anew. What they share is therefore laid out
beforehand, each column of a span by itself (`ops.once`): that is half of what the algorithm gains.
"""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
from jax import lax

from dl_jax.ops.bilinear import Products
from dl_jax.ops.once import once
from dl_jax.ops.tiles import Tiles, shifted
from dl_jax.ops.toom_cook import combined, matrices

POINTS = (0.0, 1.0, -1.0, 2.0, -0.5, 0.5)  # and infinity
_OUTPUTS, _TAPS, _PIXELS = matrices(POINTS, 3)
_SIZE, _STEP = len(_PIXELS), len(_OUTPUTS)  # of a span: the pixels that it sees, and its outputs


def _forward(x: jax.Array, w: jax.Array, tiles: Tiles) -> jax.Array:
    (height, width), features, n = tiles.output, w.shape[3], x.shape[3]
    taps = jnp.unstack(w.transpose(3, 0, 1, 2), axis=2)
    products = [
        (combined(factors, taps).reshape(features, -1) @ d).reshape(features, 2 * height, -1, n)
        for factors, d in zip(_TAPS, _sums(x, tiles), strict=True)
    ]
    spans = jnp.stack([combined(factors, products) for factors in _OUTPUTS], axis=3)
    y = spans.reshape(features, 2 * height, -1, n)[:, :, : 2 * width]
    q = y.reshape(features, height, 2, width, 2, n).transpose(2, 4, 0, 1, 3, 5)
    return q.reshape(4, features, height, width, n)


def _by_w(x: jax.Array, q: jax.Array, tiles: Tiles) -> jax.Array:
    shape = (tiles.kernel[0], x.shape[0], q.shape[1])
    products = [
        lax.dot_general(d, m, (((1,), (1,)), ((), ()))).reshape(shape)
        for d, m in zip(_sums(x, tiles), _by_product(q, tiles), strict=True)
    ]
    return jnp.stack([combined(factors, products) for factors in _TAPS.T], axis=1)


def _by_x(q: jax.Array, w: jax.Array, tiles: Tiles) -> jax.Array:
    rows, (height, width), (channels, features) = tiles.kernel[0], tiles.image, w.shape[2:]
    taps, n, spans = jnp.unstack(w, axis=1), q.shape[4], _spans(tiles)

    def pixels(g: jax.Array, m: jax.Array) -> jax.Array:
        d = (g.reshape(-1, features) @ m).reshape(rows, channels, -1, spans, n)
        shifts = (shifted(d[u], u, height, 1) for u in range(rows))
        return once(sum(shifts, start=jnp.zeros((), q.dtype)))

    sums = [
        pixels(combined(factors, taps), m)
        for factors, m in zip(_TAPS, _by_product(q, tiles), strict=True)
    ]
    columns = [once(combined(factors, sums)) for factors in _PIXELS.T]
    columns += [jnp.zeros_like(columns[0])] * (2 * _STEP - _SIZE)

    def in_turn(first: int) -> jax.Array:
        part = jnp.stack(columns[first : first + _STEP], axis=3)
        return shifted(part.reshape(channels, height, -1, n), first, width, 2)

    return in_turn(0) + in_turn(_STEP)  # a span sees the first pixels of the next one


def _spans(tiles: Tiles) -> int:
    return -(-2 * tiles.output[1] // _STEP)


def _sums(x: jax.Array, tiles: Tiles) -> Iterator[jax.Array]:
    """What the pixels become, for each product `[K_h c, 2 height spans n]`."""
    (channels, rows, _, n), spans, height = x.shape, _spans(tiles), 2 * tiles.output[0]
    x = shifted(x, 0, _STEP * (spans - 1) + _SIZE, 2)

    def column(i: int) -> jax.Array:
        end = (channels, rows, i + _STEP * (spans - 1) + 1, n)
        return lax.slice(x, (0, 0, i, 0), end, (1, 1, _STEP, 1))

    columns = list(map(column, range(_SIZE)))
    for factors in _PIXELS:
        d = combined(factors, columns)
        under = [d[:, u : u + height] for u in range(tiles.kernel[0])]
        yield jnp.concatenate(under).reshape(-1, height * spans * n)


def _by_product(q: jax.Array, tiles: Tiles) -> Iterator[jax.Array]:
    """The gradient by each of the products, `[features, 2 height spans n]`."""
    _, features, height, width, n = q.shape
    y = q.reshape(2, 2, features, height, width, n).transpose(2, 3, 0, 4, 1, 5)
    y = y.reshape(features, 2 * height, 2 * width, n)
    y = shifted(y, 0, _STEP * _spans(tiles), 2).reshape(features, 2 * height, -1, _STEP, n)
    columns = [once(column) for column in jnp.unstack(y, axis=3)]
    for factors in _OUTPUTS.T:
        yield combined(factors, columns).reshape(features, -1)


WINOGRAD = Products(_forward, _by_x, _by_w)
"""The tiles and their gradients for kernels three wide, by Winograd's algorithm."""
