"""Ticks of logarithmic axes: round numbers, few enough to be read."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# From the finest to the coarsest, within a power of ten.
_STEPS = (
    (1, 1.1, 1.2, 1.3, 1.4, 1.6, 1.8, 2, 2.5, 3, 4, 5, 6, 7, 8, 9),
    (1, 1.5, 2, 3, 4, 5, 6, 8),
    (1, 2, 5),
    (1,),
)


def round_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers between two positive limits, at most so many unless there are many powers.

    >>> round_ticks(0.7, 12.0)
    [1.0, 2.0, 5.0, 10.0]
    """
    powers = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    ticks: list[float] = []
    for steps in _STEPS:
        ticks = [float(s * p) for p in powers for s in steps if low <= s * p <= high]
        if len(ticks) <= most:
            return ticks
    return ticks[:: -(-len(ticks) // most)]


def log_ticks(axes: "Axes", which: str, text: Callable[[float], str], most: int = 6) -> None:
    """Put round ticks on a logarithmic axis whose limits are set.

    Args:
        axes: with the axis.
        which: `"x"` or `"y"`.
        text: what is written at a tick.
        most: number of ticks.
    """
    from matplotlib.ticker import NullLocator

    axis = axes.xaxis if which == "x" else axes.yaxis
    low, high = axes.get_xlim() if which == "x" else axes.get_ylim()
    ticks = round_ticks(low, high, most)
    axis.set_minor_locator(NullLocator())
    axis.set_ticks(ticks, [text(tick) for tick in ticks])
