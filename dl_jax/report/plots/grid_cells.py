"""One array as a grid of numbers, with windows set apart."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, SupportsFloat

import numpy as np

from dl_jax.report.picture import Theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Window(NamedTuple):
    """Cells of a grid to be framed.

    Attributes:
        row: of the first cell.
        column: of the first cell.
        height: in cells.
        width: in cells.
        colour: of the frame.
        factors: `[height, width]`, what each cell is multiplied by, written into it.
    """

    row: int
    column: int
    height: int = 1
    width: int = 1
    colour: Literal["blue", "red"] = "blue"
    factors: np.ndarray | None = None


class Grid(NamedTuple):
    """An array to be drawn cell by cell.

    Attributes:
        values: `[h, w]`.
        title: above it.
        note: below it.
        windows: to be framed, the last on top.
        tint: the colour that values far from 0 get: none, grey, or blue above and orange below 0.
        padding: `[h, w]`, true where a cell is not of the image; shown grey.
        left_out: `[h, w]`, true where no window goes; shown hatched.
        numbers: whether the values are written.
    """

    values: np.ndarray
    title: str = ""
    note: str = ""
    windows: Sequence[Window] = ()
    tint: Literal["none", "grey", "sign"] = "grey"
    padding: np.ndarray | None = None
    left_out: np.ndarray | None = None
    numbers: bool = True


def draw_grid(
    axes: "Axes", theme: Theme, grid: Grid, left: float, middle: float, cell: float
) -> None:
    """Draw a grid.

    Args:
        axes: with inches as its units, downwards.
        theme: its colours.
        grid: what to draw.
        left: where it begins.
        middle: half-way between its top and its bottom.
        cell: the side of a cell.
    """
    from matplotlib.patches import Rectangle

    values = np.asarray(grid.values)
    h, w = values.shape
    top, right = middle - cell * h / 2, left + cell * w
    bottom = top + cell * h
    extent = (left, right, bottom, top)
    axes.imshow(_fills(grid, theme), extent=extent, aspect="auto", interpolation="nearest")
    axes.hlines(top + cell * np.arange(h + 1), left, right, color=theme.line, linewidth=1)
    axes.vlines(left + cell * np.arange(w + 1), top, bottom, color=theme.line, linewidth=1)
    if grid.left_out is not None:
        for i, j in np.argwhere(grid.left_out):
            corner = (left + cell * j, top + cell * i)
            axes.add_patch(Rectangle(corner, cell, cell, fill=False, hatch="////", linewidth=0,
                                     edgecolor=theme.red, alpha=0.4))  # fmt: skip
    factors = _factors(grid)
    for window in grid.windows:
        corner = (left + cell * window.column, top + cell * window.row)
        size = (cell * window.width, cell * window.height)
        colour = getattr(theme, window.colour)
        if window.height * window.width > 1:
            axes.add_patch(Rectangle(corner, *size, facecolor=colour, alpha=0.16, linewidth=0))
        frame = {"edgecolor": colour, "linewidth": min(2.4, 7 * cell), "joinstyle": "round"}
        axes.add_patch(Rectangle(corner, *size, fill=False, zorder=3, **frame))
    texts = [[number_text(value) for value in row] for row in values]
    longest = max(len(text) for row in texts for text in row)
    size = 72 * cell * min(0.52, 0.82 / (0.6 * longest))
    style: dict[str, Any] = {"ha": "center", "va": "center"}
    for i, j in np.ndindex(h, w) if grid.numbers else ():
        x, y = left + cell * (j + 0.5), top + cell * (i + 0.5)
        faint = grid.padding is not None and grid.padding[i, j]
        colour = theme.muted if faint else theme.ink
        factor = factors.get((i, j))
        up = 0.0 if factor is None else 0.13 * cell
        axes.text(x, y - up, texts[i][j], fontsize=size, color=colour, zorder=4, **style)
        if factor is not None:
            small = 72 * cell * min(0.33, 1.3 / len(factor))
            axes.text(x + 0.44 * cell, y + 0.3 * cell, factor, ha="right", va="center",
                      fontsize=small, color=theme.blue, zorder=4)  # fmt: skip
    if grid.title:
        axes.text(left, top - 0.09, grid.title, fontsize=12, fontweight="bold", va="bottom")
    if grid.note:
        axes.text(left, bottom + 0.09, grid.note, fontsize=12, color=theme.muted, va="top")


def _factors(grid: Grid) -> dict[tuple[int, int], str]:
    """The text of the factor of each cell that has one."""
    return {
        (window.row + int(i), window.column + int(j)): f"×{number_text(factor)}"
        for window in grid.windows
        if window.factors is not None
        for (i, j), factor in np.ndenumerate(window.factors)
    }


def _fills(grid: Grid, theme: Theme) -> np.ndarray:
    """The colours of the cells, `[h, w, 3]`, faint enough for numbers to be read on them."""
    from matplotlib.colors import to_rgb

    values = np.nan_to_num(np.asarray(grid.values, float), posinf=0, neginf=0)
    share = np.abs(values) / (np.abs(values).max() or 1)
    paper, blue, red, grey = map(to_rgb, (theme.surface, theme.blue, theme.red, theme.line))
    if grid.tint == "sign":
        ends, strength = np.where(values[..., None] < 0, red, blue), 0.4
    else:
        ends, strength = np.broadcast_to(grey, (*values.shape, 3)), 0.9 * (grid.tint == "grey")
    fills = paper + strength * share[..., None] * (ends - np.asarray(paper))
    if grid.padding is not None:
        shade = 0.75 * np.asarray(grey) + 0.25 * np.asarray(paper)  # the lines are still seen
        fills = np.where(np.asarray(grid.padding)[..., None], shade, fills)
    return fills


def number_text(value: SupportsFloat) -> str:
    """A number in as few letters as a cell has room for: at most two decimals.

    >>> [number_text(x) for x in (4.0, -0.5, 5 / 3, 0.001, 12345.6)]
    ['4', '−0.5', '1.67', '1e−03', '1.23e+04']
    """
    x = float(value)
    if not np.isfinite(x):
        return "NaN" if np.isnan(x) else "∞" if x > 0 else "−∞"
    text = f"{x:.2f}".rstrip("0").rstrip(".") if abs(x) < 1000 else f"{x:.3g}"
    if x and float(text) == 0:
        text = f"{x:.0e}"
    return "0" if float(text) == 0 else text.replace("-", "−")


def rows_text(values: np.ndarray) -> str:
    """The numbers of a grid in a line, for those who do not see it.

    >>> rows_text(np.array([[4, 3], [2, 0.5]]))
    '4 3; 2 0.5'
    """
    return "; ".join(" ".join(number_text(value) for value in row) for row in values)
