"""The tiles of a convolution as one matrix product with the pixels under each.

Under a tile lie `(K_h + 1) (K_w + 1)` pixels. The kernel stands four times in the matrix, once for
each place in the tile, with zeros around it: some products more than there need be, and far fewer
copies of the pixels than there are windows.
"""

import math
from itertools import product

import jax
import jax.numpy as jnp
from jax import lax

from dl_jax.ops.bilinear import Products
from dl_jax.ops.once import once
from dl_jax.ops.tiles import Tiles, overlaid

_PLACES = tuple(product(range(2), range(2)))


def _forward(x: jax.Array, w: jax.Array, tiles: Tiles) -> jax.Array:
    # Turned beforehand: of what XLA has to turn within a product, the faster library takes none.
    q = once(_spread(w).T) @ _pixels(x, tiles)
    return q.reshape(4, w.shape[3], *tiles.output, x.shape[3])


def _by_w(x: jax.Array, q: jax.Array, tiles: Tiles) -> jax.Array:
    (height, width), features, pixels = tiles.kernel, q.shape[1], _pixels(x, tiles)
    by_pixel = lax.dot_general(q.reshape(4 * features, -1), pixels, (((1,), (1,)), ((), ())))
    by_pixel = by_pixel.reshape(4, features, height + 1, width + 1, x.shape[0])
    parts = (
        d[:, a : a + height, b : b + width] for (a, b), d in zip(_PLACES, by_pixel, strict=True)
    )
    d = sum(parts, start=jnp.zeros((), q.dtype))
    return d.transpose(1, 2, 3, 0)


def _by_x(q: jax.Array, w: jax.Array, tiles: Tiles) -> jax.Array:
    (height, width), (_, features, *output, n) = tiles.kernel, q.shape
    pixels = _spread(w) @ q.reshape(4 * features, -1)
    pixels = pixels.reshape(height + 1, width + 1, w.shape[2], *output, n)
    return overlaid([list(row) for row in pixels], tiles)


def _pixels(x: jax.Array, tiles: Tiles) -> jax.Array:
    """The pixels under each tile, `[(K_h + 1) (K_w + 1) c, tiles n]`."""
    x = once(x)  # turned once, and not by each slice
    places = product(range(tiles.kernel[0] + 1), range(tiles.kernel[1] + 1))
    under = jnp.concatenate([_under(x, u, v, tiles) for u, v in places])
    return under.reshape(-1, math.prod(tiles.output) * x.shape[3])


def _under(x: jax.Array, u: int, v: int, tiles: Tiles) -> jax.Array:
    """The pixel (u, v) under each tile, `[c, height, width, n]`."""
    (height, width), (c, _, _, n) = tiles.output, x.shape
    return lax.slice(x, (0, u, v, 0), (c, u + 2 * height - 1, v + 2 * width - 1, n), (1, 2, 2, 1))


def _spread(w: jax.Array) -> jax.Array:
    """The kernel at each place of a tile, `[(K_h + 1) (K_w + 1) c, 4 features]`."""
    placed = [jnp.pad(w, ((a, 1 - a), (b, 1 - b), (0, 0), (0, 0))) for a, b in _PLACES]
    return jnp.concatenate(placed, axis=3).reshape(-1, 4 * w.shape[3])


PIXELS = Products(_forward, _by_x, _by_w)
"""The tiles and their gradients, from the pixels as they are."""
