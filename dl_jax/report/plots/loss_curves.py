"""Loss curves that should be one."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dl_jax.report.numbers import format_number
from dl_jax.report.picture import Picture, Theme, save_picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_loss_curves(
    steps: np.ndarray, losses: Mapping[str, np.ndarray], path: Path, *, title: str
) -> Picture:
    """Two loss curves over the same steps: a broad line, and dots upon it.

    Args:
        steps: `[n]`, how many updates were made.
        losses: two names, each with its loss `[n]`.
        path: of the PNG.
        title: above the picture.

    Raises:
        ValueError: unless there are two curves, of as many points as there are steps.
    """
    steps = np.asarray(steps, float)
    curves = {name: np.asarray(values, float) for name, values in losses.items()}
    if len(curves) != 2 or any(values.shape != steps.shape for values in curves.values()):
        shapes = ", ".join(f"{name} {values.shape}" for name, values in curves.items())
        raise ValueError(f"losses: expected two of shape {steps.shape}, got {shapes or 'none'}")
    (first, line), (second, dots) = curves.items()

    def draw(figure: "Figure", theme: Theme) -> None:
        axes = figure.subplots()
        stroke = {"linewidth": 5, "alpha": 0.45, "solid_capstyle": "round"}
        axes.plot(steps, line, color=theme.blue, label=first, **stroke)
        axes.plot(steps, dots, "o", markersize=4.5, color=theme.red, label=second)
        axes.set(title=title, xlabel="Steps", ylabel="Loss")
        finite = [value for values in (line, dots) for value in values if np.isfinite(value)]
        axes.set_ylim(0, 1.08 * max(finite, default=1))  # the dots of a flat curve whole
        axes.grid(axis="y")
        axes.set_axisbelow(True)
        axes.tick_params(length=0)
        axes.spines["left"].set_visible(False)
        axes.legend(loc="best")

    save_picture(path, (4.6, 3.4), draw)
    start, end = format_number(float(line[0])), format_number(float(line[-1]))
    alt = f"{title}: the loss falls from {start} to {end}; {first} and {second} lie on one curve."
    apart = float(np.max(np.abs(line - dots) / np.abs(line)))
    caption = f"The line is {first}, the dots are {second}. "
    if not np.isfinite(apart):
        caption += "They do not stay finite."
    else:
        caption += "They do not differ." if apart == 0 else f"They differ by {apart:.1e} at most."
    return Picture(path, alt, caption)
