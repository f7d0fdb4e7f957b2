"""Arrays side by side as grids of numbers: what a convolution or a pooling looks at."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dl_jax.report.picture import Picture, Theme, save_picture
from dl_jax.report.plots.grid_cells import Grid, draw_grid

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WIDTH, _CELL = 5.8, 0.46  # inches: of the widest picture, and of its largest cell
_MARGIN, _LINE = 0.1, 0.27  # inches: around everything, and of a line of text
_LETTER = 0.112  # inches: what a letter of a title takes at most


def plot_grids(
    rows: Sequence[Sequence[Grid | str]],
    path: Path,
    *,
    alt: str,
    caption: str,
    largest_cell: float = _CELL,
) -> Picture:
    """Rows of grids; a text between two grids is written there, as `"="`.

    The cells are as large as the widest row lets them be, and the same in all grids.

    Args:
        rows: from top to bottom.
        path: of the PNG.
        alt: what it shows, for those who do not see it.
        caption: what to look at.
        largest_cell: in inches.

    Raises:
        ValueError: for a grid that has not two axes.

    Source: slides "Convolution Kernel", "Stride & Padding", "Pooling".
    """
    for grid in (item for row in rows for item in row if not isinstance(item, str)):
        if np.ndim(grid.values) != 2:
            raise ValueError(f"grid: expected shape [h, w], got {np.shape(grid.values)}")
    cell = largest_cell
    while cell > 0.05 and max(_width(row, cell) for row in rows) > _WIDTH - 2 * _MARGIN:
        cell *= 0.98
    heights = [_height(row, cell) for row in rows]
    width = max(_width(row, cell) for row in rows) + 2 * _MARGIN
    height = sum(heights) + 0.6 * cell * (len(rows) - 1) + 2 * _MARGIN

    def draw(figure: "Figure", theme: Theme) -> None:
        figure.set_layout_engine("none")  # every place is given in inches
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, width), ylim=(height, 0))
        axes.set_axis_off()
        top = _MARGIN
        for row, tall in zip(rows, heights, strict=True):
            titled = _LINE * any(not isinstance(item, str) and bool(item.title) for item in row)
            noted = _LINE * any(not isinstance(item, str) and bool(item.note) for item in row)
            middle, left = top + (titled + tall - noted) / 2, _MARGIN
            for item, gap in zip(row, _gaps(row, cell), strict=True):
                if isinstance(item, str):
                    place = left + _slot(item, cell) / 2
                    axes.text(place, middle, item, ha="center", va="center", fontsize=15)
                else:
                    draw_grid(axes, theme, item, left, middle, cell)
                left += _slot(item, cell) + gap
            top += tall + 0.6 * cell

    save_picture(path, (width, height), draw)
    return Picture(path, alt, caption)


def _slot(item: Grid | str, cell: float) -> float:
    """The width of a grid or of a text between two, in inches."""
    if isinstance(item, str):
        return max(0.2, 0.115 * len(item))
    return max(cell * np.shape(item.values)[1], _LETTER * max(len(item.title), len(item.note)))


def _gaps(row: Sequence[Grid | str], cell: float) -> list[float]:
    """The width behind each item of a row; less beside a text, and none behind the last."""
    beside_text = [isinstance(a, str) or isinstance(b, str) for a, b in pairwise(row)]
    return [0.1 if close else 0.9 * cell for close in beside_text] + [0.0]


def _width(row: Sequence[Grid | str], cell: float) -> float:
    return sum(_slot(item, cell) for item in row) + sum(_gaps(row, cell))


def _height(row: Sequence[Grid | str], cell: float) -> float:
    grids = [item for item in row if not isinstance(item, str)]
    texts = any(grid.title for grid in grids) + any(grid.note for grid in grids)
    return cell * max(np.shape(grid.values)[0] for grid in grids) + _LINE * texts
