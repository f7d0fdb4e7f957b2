"""The activation functions' picture: each curve beside that of its derivative."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dl_jax.report.picture import Picture, Theme, save_picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_functions(
    z: np.ndarray,
    functions: Mapping[str, tuple[np.ndarray, np.ndarray]],
    path: Path,
    *,
    formulas: Mapping[str, tuple[str, str]],
) -> Picture:
    """Functions with their derivatives beside them, a row each.

    Args:
        z: where they were computed, `[n]`, increasing.
        functions: `{name: (f(z), f′(z))}`, `[n]` each.
        path: of the PNG.
        formulas: `{name: (f, f′)}`, the equations as text, above the curves.

    Raises:
        ValueError: where the shapes do not fit each other.

    Source: slides "Sigmoid Function", "Tanh", "Restricted linear unit (ReLU)".
    """
    for name, values in functions.items():
        if any(v.shape != z.shape for v in values):
            raise ValueError(
                f"{name}: expected {z.shape} values of the function and of its derivative, "
                f"got {' and '.join(str(v.shape) for v in values)}"
            )

    def draw(figure: "Figure", theme: Theme) -> None:
        from matplotlib.ticker import MaxNLocator

        panels = figure.subplots(len(functions), 2, squeeze=False, sharex=True)
        for row, (name, curves) in zip(panels, functions.items(), strict=True):
            for axes, values, formula, colour in zip(
                row, curves, formulas[name], (theme.blue, theme.red), strict=True
            ):
                axes.set_title(formula, fontweight="normal", color=colour)
                stroke = {"color": colour, "linewidth": 2.6, "solid_capstyle": "round"}
                axes.plot(z, _broken(values), **stroke)
                axes.axvline(0, color=theme.line, linewidth=0.8, zorder=0)
                axes.grid(axis="y")
                axes.set_axisbelow(True)
                axes.margins(y=0.14)
                axes.xaxis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2, 3, 5, 10]))
                axes.yaxis.set_major_locator(MaxNLocator(nbins=3, steps=[1, 2, 5, 10]))
                axes.tick_params(length=0)
                axes.spines["left"].set_visible(False)
            slope = curves[1]
            top = float(slope.max())
            if np.count_nonzero(slope == top) == 1:  # a peak, and not a plateau
                at = float(z[slope.argmax()])
                row[1].plot(at, top, "o", color=theme.red, markersize=6)
                row[1].text(at + 0.06 * np.ptp(z), top, f"{top:.4g}", va="center",
                            fontweight="bold")  # fmt: skip
        for axes in panels[-1]:
            axes.set_xlabel("z", labelpad=2)

    save_picture(path, (4.6, 1.75 * len(functions) + 0.3), draw)
    peaks = ", ".join(
        f"{float(slope.max()):.4g} for {name}" for name, (_, slope) in functions.items()
    )
    return Picture(
        path,
        f"{', '.join(functions)} for z from {z[0]:g} to {z[-1]:g}, each beside its derivative.",
        f"Left the function, right its derivative. The largest derivative is {peaks}.",
    )


def _broken(values: np.ndarray) -> np.ndarray:
    """The curve with a gap where it jumps by its whole height, for no line belongs there."""
    jumps = np.abs(np.diff(values)) > 0.99 * np.ptp(values)
    return np.where(np.append(jumps, False), np.nan, values)
