"""The outputs of a convolution as the 2x2 tiles of the max pooling behind it, examples innermost.

Arrays are `[channels, height, width, examples]`: a shift of the images is then a shift of whole
rows of examples, which a CPU moves and adds by vectors, and the four values of which pooling takes
the largest lie in four arrays. Outputs that no tile covers are not computed.

    q[2a + b, f, i, j, n] = sum_{u, v, c} x[c, 2i + a + u, 2j + b + v, n] w[u, v, c, f]
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

Pair = tuple[int, int]


class Tiles(NamedTuple):
    """Which outputs there are; height and width each.

    Attributes:
        image: of x.
        kernel: of w.
        winograd: whether they are computed by Winograd's algorithm.
    """

    image: Pair
    kernel: Pair
    winograd: bool

    @property
    def output(self) -> Pair:
        """Tiles a column and a row, `floor((I - K + 1) / 2)`."""
        height, width = ((i - k + 1) // 2 for i, k in zip(self.image, self.kernel, strict=True))
        return height, width


def side_behind(depth: int, side: int) -> int:
    """Return the side behind so many stages: each takes two pixels off and halves the rest."""
    for _ in range(depth):
        side = (side - 2) // 2
    return side


def side_before(depth: int, side: int) -> int:
    """Return the side that so many stages need for this one behind them."""
    for _ in range(depth):
        side = 2 * side + 2
    return side


def shifted(e: jax.Array, before: int, size: int, axis: int) -> jax.Array:
    """Lay e into `size` entries of an axis, `before` of them in front of it; zeros elsewhere."""
    margins = [(0, 0, 0)] * e.ndim
    margins[axis] = (before, size - before - e.shape[axis], 0)
    return lax.pad(e, jnp.zeros((), e.dtype), margins)


def interleaved(even: jax.Array, odd: jax.Array, size: int, axis: int) -> jax.Array:
    """Lay two arrays into an axis in turn, and cut or fill with zeros to its size."""
    both = jnp.stack([even, odd], axis + 1)
    joined = both.reshape(*even.shape[:axis], -1, *even.shape[axis + 1 :])
    kept = lax.slice_in_dim(joined, 0, min(size, joined.shape[axis]), axis=axis)
    return shifted(kept, 0, size, axis)
