"""Labels in a column beside the axes, each at the height of what it names, none over another."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Label(NamedTuple):
    """A label and the place in the axes that it names, in the axes' data coordinates."""

    text: str
    x: float
    y: float
    colour: str


def apart(heights: Sequence[float] | np.ndarray, gap: float) -> np.ndarray:
    """Heights moved as little as need be so that they are `gap` apart, in 0..1 if they fit.

    Neighbours that would touch become a block around their mean, as often as blocks touch.

    Args:
        heights: where each should be.
        gap: the least distance of two.

    >>> [round(float(h), 2) for h in apart([0.5, 0.5, 0.9], 0.1)]
    [0.45, 0.55, 0.9]
    """
    order = np.argsort(heights, kind="stable")
    blocks: list[tuple[float, int]] = []  # the middle, and how many

    def bounded(middle: float, size: int) -> float:
        half = gap * (size - 1) / 2
        return max(min(middle, 1 - half), half)

    for height in np.asarray(heights, float)[order]:
        middle, size = bounded(float(height), 1), 1
        while blocks and middle - blocks[-1][0] < gap * (size + blocks[-1][1]) / 2:
            other, others = blocks.pop()
            middle = bounded((size * middle + others * other) / (size + others), size + others)
            size += others
        blocks.append((middle, size))
    places = [m + gap * (i - (size - 1) / 2) for m, size in blocks for i in range(size)]
    moved = np.empty(len(places))
    moved[order] = places
    return moved


def label_beside(
    axes: "Axes", labels: Sequence[Label], *, gap: float, line: str, size: float = 10
) -> None:
    """Write the labels to the right of the axes, with a thin line from each to what it names.

    The limits of the axes must be set before.

    Args:
        axes: where the places are.
        labels: what to write.
        gap: the least distance of two labels, as a share of the axes' height.
        line: the colour of the thin lines.
        size: of the letters, in points.
    """
    to_axes = axes.transData + axes.transAxes.inverted()
    places = [to_axes.transform((label.x, label.y)) for label in labels]
    for label, (x, y), height in zip(
        labels, places, apart([place[1] for place in places], gap), strict=True
    ):
        axes.plot((x, 1.01, 1.035), (y, height, height), transform=axes.transAxes, color=line,
                  linewidth=0.8, clip_on=False, zorder=1)  # fmt: skip
        axes.text(1.045, height, label.text, transform=axes.transAxes, va="center_baseline",
                  fontsize=size, color=label.colour)  # fmt: skip
