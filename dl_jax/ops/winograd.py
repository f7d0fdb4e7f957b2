"""Winograd's algorithm F(2x2, 3x3): the four places of a tile by sixteen products.

    m_0 = (d_0 - d_2) g_0                     y_0 = m_0 + m_1 + m_2
    m_1 = (d_1 + d_2) (g_0 + g_1 + g_2) / 2   y_1 = m_1 - m_2 + m_3
    m_2 = (d_2 - d_1) (g_0 - g_1 + g_2) / 2
    m_3 = (d_3 - d_1) g_2

for four pixels d of a row, three taps g and two neighbours y (Winograd 1980; Lavin and Gray 2016,
"Fast Algorithms for Convolutional Neural Networks", section 4.1). With rows of pixels, of taps and
of outputs in place of numbers, each of the four products is such a sum again: sixteen products in
place of thirty-six. Sums of four pixels and of nine taps, where there were one and one, round up to
7 times as much in the values, 9 in the gradient by the kernel and 12 in that by the images; the
root mean square is about 0.6, 1.8 and 0.9 times that of plain sums (64 examples of 13x13, 32
channels).
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from dl_jax.ops.bilinear import Products
from dl_jax.ops.once import once
from dl_jax.ops.tiles import Grid, Line, Tiles, overlaid


def _forward(x: jax.Array, w: jax.Array, tiles: Tiles) -> jax.Array:
    shape = (w.shape[3], *tiles.output, x.shape[3])

    def product(g: jax.Array, d: jax.Array) -> jax.Array:
        return (g @ d).reshape(shape)

    m = _each(product, _of_taps(w), _under_tiles(x, tiles))
    (left_above, right_above), (left, right) = _along_both(_outputs, m)
    return jnp.stack([left_above, right_above, left, right])


def _by_w(x: jax.Array, q: jax.Array, tiles: Tiles) -> jax.Array:
    def product(m: jax.Array, d: jax.Array) -> jax.Array:
        return lax.dot_general(m, d, (((1,), (1,)), ((), ())))

    taps = _along_both(_by_taps, _each(product, _by_products(q), _under_tiles(x, tiles)))
    return jnp.stack([jnp.stack(row) for row in taps]).transpose(0, 1, 3, 2)


def _by_x(q: jax.Array, w: jax.Array, tiles: Tiles) -> jax.Array:
    shape = (w.shape[2], *tiles.output, q.shape[4])

    def product(g: jax.Array, m: jax.Array) -> jax.Array:
        return (once(g.T) @ m).reshape(shape)  # turned by itself: one small program for all

    d = _each(product, _of_taps(w), _by_products(q))
    return overlaid(d, tiles, _by_pixels)


# Sums of rows are held, of taps and of pixels, so that the sums along them are alike: XLA compiles
# once what is alike.


def _of_taps(w: jax.Array) -> Grid:
    """What the taps become, `[f, c]` each."""
    rows = _taps(list(w.transpose(0, 1, 3, 2)))
    return [[once(g) for g in _taps(list(once(row)))] for row in rows]


def _under_tiles(x: jax.Array, tiles: Tiles) -> Grid:
    """What the pixels under each tile become, `[c, height width n]` each."""
    height, width = tiles.output

    def sums(e: jax.Array, size: int, axis: int) -> Line:
        return _pixels([lax.slice_in_dim(e, i, i + 2 * size - 1, 2, axis) for i in range(4)])

    return [[_matrix(d) for d in sums(once(row), width, 2)] for row in sums(x, height, 1)]


def _by_products(q: jax.Array) -> Grid:
    """The gradient by each product, `[f, height width n]`."""
    places = [once(e) for e in q]  # one by one, for four of the products get these as they are
    return _each(_matrix, _along_both(_by_outputs, (places[:2], places[2:])))


# The sums above along a line, and for each its transpose.


def _pixels(d: Line) -> Line:
    return d[0] - d[2], d[1] + d[2], d[2] - d[1], d[3] - d[1]


def _by_pixels(m: Line) -> Line:
    return m[0], m[1] - m[2] - m[3], m[1] + m[2] - m[0], m[3]


def _taps(g: Line) -> Line:
    outer, middle = (g[0] + g[2]) / 2, g[1] / 2
    return g[0], outer + middle, outer - middle, g[2]


def _by_taps(m: Line) -> Line:
    both = (m[1] + m[2]) / 2
    return m[0] + both, (m[1] - m[2]) / 2, both + m[3]


def _outputs(m: Line) -> Line:
    return m[0] + m[1] + m[2], m[1] - m[2] + m[3]


def _by_outputs(y: Line) -> Line:
    return y[0], y[0] + y[1], y[0] - y[1], y[1]


def _along_both(transform: Callable[[Line], Line], grid: Grid) -> Grid:
    """Transform each row of a grid, and each column of what came of it."""
    columns = zip(*map(transform, grid), strict=True)
    return tuple(zip(*map(transform, columns), strict=True))


def _each(function: Callable[..., jax.Array], *grids: Grid) -> Grid:
    return [[function(*at) for at in zip(*rows, strict=True)] for rows in zip(*grids, strict=True)]


def _matrix(e: jax.Array) -> jax.Array:
    """Computed as it lies, for XLA's loops over flattened axes use no vectors."""
    return once(e).reshape(len(e), -1)


WINOGRAD = Products(_forward, _by_x, _by_w)
"""The tiles and their gradients for kernels of 3x3, by Winograd's algorithm."""
