"""The tiles of a convolution, by one algorithm or the other, and the largest value of each."""

import jax
import jax.numpy as jnp

from dl_jax.ops.activations import relu
from dl_jax.ops.bilinear import Products, bilinear
from dl_jax.ops.tile_pixels import PIXELS
from dl_jax.ops.tiles import Tiles
from dl_jax.ops.winograd import WINOGRAD

_FEW_PIXELS = 64  # under a tile, all channels together: too few for Winograd's sums to pay


def tiles_of(images: jax.Array, kernel: jax.Array, winograd: bool | None = None) -> Tiles:
    """Return the tiles of a convolution of images `[n, h, w, c]`.

    Winograd's algorithm is chosen in float32, where there are channels enough for it to pay.
    """
    (_, height, width, _), (k_h, k_w, channels, _) = images.shape, kernel.shape
    if winograd is None:
        many = channels * (k_h + 1) * (k_w + 1) > _FEW_PIXELS
        winograd = bool(k_h == k_w == 3 and images.dtype == jnp.float32 and many)
    return Tiles((height, width), (k_h, k_w), winograd)


def _products(tiles: Tiles) -> Products:
    return WINOGRAD if tiles.winograd else PIXELS


_CHOSEN = Products(
    lambda x, w, tiles: _products(tiles).forward(x, w, tiles),
    lambda q, w, tiles: _products(tiles).by_x(q, w, tiles),
    lambda x, q, tiles: _products(tiles).by_w(x, q, tiles),
)
conv_tiles = bilinear("conv_tiles", default=_CHOSEN, cpu=_CHOSEN, example_axis=-1)
"""From x `[c, h, w, n]` and a kernel to the four places q of each tile, and both transposes."""


def relu_max(q: jax.Array, b: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return `y = relu(max_k q_k + b)` and the first place k of the largest; 4 where y is 0.

    Args:
        q: the four places of each tile, `[4, f, height, width, n]`.
        b: a bias for each kernel, `[f]`.
    """
    largest = jnp.maximum(jnp.maximum(q[0], q[1]), jnp.maximum(q[2], q[3]))
    place = jnp.uint8(3)
    for i in (2, 1, 0):
        place = jnp.where((q[i] == largest) | jnp.isnan(q[i]), jnp.uint8(i), place)
    y = relu(largest + b[:, None, None, None])
    return y, jnp.where(y == 0, jnp.uint8(4), place)


def is_place(place: jax.Array) -> jax.Array:
    """Return `[4, f, height, width, n]`: whether the gradient of a tile goes to a place of it."""
    return place[None] == jnp.arange(4, dtype=jnp.uint8).reshape(4, 1, 1, 1, 1)
