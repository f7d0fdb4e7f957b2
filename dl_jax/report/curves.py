"""Pictures of functions of one variable, and of a walk down such a curve."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dl_jax.report.numbers import format_number
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
            colours = (theme.blue, theme.red)
            for axes, values, formula, colour in zip(
                row, curves, formulas[name], colours, strict=True
            ):
                axes.set_title(formula, fontweight="normal")
                axes.plot(z, values, color=colour, linewidth=2.4, solid_capstyle="round")
                axes.axvline(0, color=theme.line, linewidth=0.8, zorder=0)
                axes.grid(axis="y")
                axes.set_axisbelow(True)
                axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
                axes.yaxis.set_major_locator(MaxNLocator(nbins=4))
                axes.tick_params(length=0)
                axes.spines["left"].set_visible(False)
        for axes in panels[-1]:
            axes.set_xlabel("z")

    save_picture(path, (5.2, 2.1 * len(functions)), draw)
    peaks = ", ".join(
        f"{name} {format_number(float(slope.max()))}" for name, (_, slope) in functions.items()
    )
    return Picture(
        path,
        f"{', '.join(functions)} and their derivatives for z from {z[0]:g} to {z[-1]:g}.",
        f"Left the function, right its derivative. The largest derivatives: {peaks}.",
    )
