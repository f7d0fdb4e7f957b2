"""The outputs of a convolution as the 2x2 tiles of the max pooling behind it, examples innermost.

Arrays are `[channels, height, width, examples]`: a shift of the images is then a shift of whole
rows of examples, which a CPU moves and adds by vectors, and the four values of which pooling takes
the largest lie in four arrays. Outputs that no tile covers are not computed.

    q[2a + b, f, i, j, n] = sum_{u, v, c} x[c, 2i + a + u, 2j + b + v, n] w[u, v, c, f]
"""

from collections.abc import Callable, Sequence
from functools import reduce
from operator import add
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from dl_jax.ops.once import once

Pair = tuple[int, int]
Line = Sequence[jax.Array]
Grid = Sequence[Line]


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


def overlaid(
    pixels: Grid, tiles: Tiles, of_line: Callable[[Line], Line] = lambda line: line
) -> jax.Array:
    """Return images from what lies under each tile: a pixel under several is their sum.

    Args:
        pixels: for u and v up to the size of the kernel, each `[c, height, width, n]`.
        tiles: above them.
        of_line: applied to the pixels of a column and of a row beforehand, linear.
    """

    def every_second(line: Line, axis: int) -> tuple[jax.Array, jax.Array]:
        size, line = line[0].shape[axis] + (len(line) - 1) // 2, of_line(line)

        def overlap(those: Line) -> jax.Array:
            return reduce(add, [shifted(e, i, size, axis) for i, e in enumerate(those)])

        return overlap(line[::2]), overlap(line[1::2])

    columns = zip(*pixels, strict=True)
    rows = [[once(e) for e in every_second(column, 1)] for column in columns]
    even, odd = (
        interleaved(*every_second(row, 2), tiles.image[1], 2) for row in zip(*rows, strict=True)
    )
    return interleaved(even, odd, tiles.image[0], 1)


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
