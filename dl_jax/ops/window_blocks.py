"""The windows of many images, a block at a time: as many as stay in a cache until they are used."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from dl_jax.ops.patches import Windows, patches

_BLOCK_BYTES = 2**22


class Blocks(NamedTuple):
    """Blocks of whole images, or of rows of one image where that is too much.

    Attributes:
        windows: of one image, with its margins.
        images: images a block.
        rows: rows of windows a block.
        counts: blocks over the images, and over the rows of an image.
    """

    windows: Windows
    images: int
    rows: int
    counts: tuple[int, int]

    @property
    def number(self) -> int:
        """Blocks altogether."""
        return math.prod(self.counts)

    @property
    def _pixel_rows(self) -> int:
        """Rows of pixels under a block."""
        reach = self.windows.dilation[0] * (self.windows.size[0] - 1)
        return (self.rows - 1) * self.windows.strides[0] + reach + 1

    def whole_images(self, x: jax.Array) -> jax.Array:
        """The images, margins included, with zeros behind for the last block to be whole."""
        images, rows = self.counts
        needed = (rows - 1) * self.rows * self.windows.strides[0] + self._pixel_rows
        more = (images * self.images - len(x), max(0, needed - x.shape[1]))
        return jnp.pad(x, ((0, more[0]), (0, more[1]), (0, 0), (0, 0)))

    def whole_outputs(self, y: jax.Array) -> jax.Array:
        """What belongs to the windows, with zeros behind for the last block to be whole."""
        images, rows = self.counts
        more = (images * self.images - len(y), rows * self.rows - y.shape[1])
        return jnp.pad(y, ((0, more[0]), (0, more[1]), (0, 0), (0, 0)))

    def taps(self, x: jax.Array, i: jax.Array) -> jax.Array:
        """The windows of block i as the rows of a matrix."""
        image, row = i // self.counts[1], i % self.counts[1]
        start = (image * self.images, row * self.rows * self.windows.strides[0], 0, 0)
        part = lax.dynamic_slice(x, start, (self.images, self._pixel_rows, *x.shape[2:]))
        windows = self.windows._replace(image=(part.shape[1], part.shape[2]))
        return patches(part, windows).reshape(-1, math.prod(windows.size) * x.shape[3])

    def outputs(self, y: jax.Array, i: jax.Array) -> jax.Array:
        """What belongs to the windows of block i, as the rows of a matrix."""
        image, row = i // self.counts[1], i % self.counts[1]
        start = (image * self.images, row * self.rows, 0, 0)
        part = lax.dynamic_slice(y, start, (self.images, self.rows, *y.shape[2:]))
        return part.reshape(-1, y.shape[3])

    def joined(self, y: jax.Array, n: int) -> jax.Array:
        """The outputs of all blocks as n images again."""
        images, rows = self.counts
        height, width = self.windows.output
        y = y.reshape(images * self.images, rows * self.rows, width, y.shape[-1])
        return y[:n, :height]


def blocks_of(shape: tuple[int, ...], windows: Windows, *, cut: bool = False) -> Blocks:
    """Return blocks of up to four MiB of windows or a little more, of as equal size as can be.

    Args:
        shape: of the images, `[n, h, w, c]`.
        windows: of one of them; `windows.image` is (h, w).
        cut: whether to cut windows of one pixel too, which are the images themselves.
    """
    n, (height, width) = shape[0], windows.output
    row = 4 * width * math.prod(windows.size) * shape[3]
    over_images = min(n, -(-n * height * row // _BLOCK_BYTES))
    over_rows = 1 if over_images < n else min(height, -(-height * row // _BLOCK_BYTES))
    if windows.size == windows.strides == (1, 1) and not cut:
        over_images = over_rows = 1  # the windows are the images
    images, rows = -(-n // over_images), -(-height // over_rows)
    # Fewer in each, but more than half as many, where no block is then left with zeros.
    images = next((m for m in range(images, images // 2, -1) if n % m == 0), images)
    return Blocks(windows, images, rows, (-(-n // images), -(-height // rows)))
