"""Winograd's algorithm F(2, 3): two neighbours of a three-wide convolution by four products.

    m_0 = (d_0 - d_2) g_0                     y_0 = m_0 + m_1 + m_2
    m_1 = (d_1 + d_2) (g_0 + g_1 + g_2) / 2   y_1 = m_1 - m_2 - m_3
    m_2 = (d_2 - d_1) (g_0 - g_1 + g_2) / 2
    m_3 = (d_1 - d_3) g_2

for four pixels d of a row, three taps g and the outputs y (Winograd 1980; Lavin and Gray 2016,
"Fast Algorithms for Convolutional Neural Networks", section 4.1): the two columns of a tile for two
thirds of the products. Rows and channels are summed as they are. Products by sums of two pixels and
of three halved taps round a little more than those of pixels and taps: at most 3 times as much.
"""

import jax
import jax.numpy as jnp
from jax import lax

from dl_jax.ops.bilinear import Products
from dl_jax.ops.once import once
from dl_jax.ops.tiles import Tiles, interleaved, shifted


def _forward(x: jax.Array, w: jax.Array, tiles: Tiles) -> jax.Array:
    (height, width), features, n = tiles.output, w.shape[3], x.shape[3]
    m0, m1, m2, m3 = (
        (g.reshape(features, -1) @ d).reshape(features, height, 2, width, n)
        for g, d in zip(_taps(w.transpose(3, 0, 1, 2), 2), _rows(x, tiles), strict=True)
    )
    left, right = m0 + m1 + m2, m1 - m2 - m3
    return jnp.stack([left[:, :, 0], right[:, :, 0], left[:, :, 1], right[:, :, 1]])


def _by_w(x: jax.Array, q: jax.Array, tiles: Tiles) -> jax.Array:
    channels, features = x.shape[0], q.shape[1]
    g0, g1, g2, g3 = (
        lax.dot_general(d, m, (((1,), (1,)), ((), ()))).reshape(-1, channels, features)
        for d, m in zip(_rows(x, tiles), _products(q), strict=True)
    )
    both = (g1 + g2) / 2
    return jnp.stack([g0 + both, (g1 - g2) / 2, both + g3], axis=1)


def _by_x(q: jax.Array, w: jax.Array, tiles: Tiles) -> jax.Array:
    (height, width), (rows, _), n = tiles.output, tiles.kernel, q.shape[4]
    channels, features = w.shape[2:]

    def pixels(g: jax.Array, m: jax.Array) -> jax.Array:
        d = (g.reshape(-1, features) @ m).reshape(rows, channels, 2 * height, width, n)
        shifts = (shifted(d[u], u, tiles.image[0], 1) for u in range(rows))
        return once(sum(shifts, start=jnp.zeros((), q.dtype)))  # both columns of a tile want it

    d0, d1, d2, d3 = (pixels(g, m) for g, m in zip(_taps(w, 1), _products(q), strict=True))
    even = shifted(d0, 0, width + 1, 2) + shifted(d1 + d2 - d0, 1, width + 1, 2)
    odd = shifted(d1 - d2 + d3, 0, width + 1, 2) - shifted(d3, 1, width + 1, 2)
    return interleaved(even, odd, tiles.image[1], 2)


def _taps(w: jax.Array, axis: int) -> tuple[jax.Array, ...]:
    """What the kernel becomes, four of them without the axis of its width."""
    left, middle, right = jnp.unstack(w, axis=axis)
    outer = (left + right) / 2
    return left, outer + middle / 2, outer - middle / 2, right


def _rows(x: jax.Array, tiles: Tiles) -> list[jax.Array]:
    """What the pixels become, four times `[K_h c, 2 height width n]`."""
    (height, width), (c, _, _, n) = tiles.output, x.shape

    def d(u: int, v: int) -> jax.Array:
        return lax.slice(x, (0, u, v, 0), (c, u + 2 * height, v + 2 * width - 1, n), (1, 1, 2, 1))

    sums = (
        lambda u: d(u, 0) - d(u, 2),
        lambda u: d(u, 1) + d(u, 2),
        lambda u: d(u, 2) - d(u, 1),
        lambda u: d(u, 1) - d(u, 3),
    )
    rows = range(tiles.kernel[0])
    # Four matrices, not an axis of four: XLA would make each entry anew for every one that it lays
    # beside the others.
    return [jnp.concatenate([s(u) for u in rows]).reshape(-1, 2 * height * width * n) for s in sums]


def _products(q: jax.Array) -> list[jax.Array]:
    """The gradient by each of the four products, `[features, 2 height width n]`."""
    left, right = jnp.stack([q[0], q[2]], 2), jnp.stack([q[1], q[3]], 2)
    return [m.reshape(q.shape[1], -1) for m in (left, left + right, left - right, -right)]


WINOGRAD = Products(_forward, _by_x, _by_w)
"""The tiles and their gradients for kernels three wide, by Winograd's algorithm."""
