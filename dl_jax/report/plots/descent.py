"""Gradient descent's picture: the path of one weight down the curve of its error."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dl_jax.report.picture import Picture, Theme, save_picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_descent(
    paths: Mapping[str, np.ndarray],
    error: Callable[[np.ndarray], np.ndarray],
    minimum: float,
    path: Path,
) -> Picture:
    """The walks of one weight on the curve of its error, a panel each.

    A walk that ends nearer to the minimum than it began is blue, any other one red.

    Args:
        paths: `{name: w}`, the weight before the first step and after each, `[steps + 1]`.
        error: `[n] -> [n]`, E of each weight.
        minimum: the weight with the lowest E.
        path: of the PNG.

    Raises:
        ValueError: for a walk without a step.

    Source: slides "Normal Learning Rate", "Too large Learning Rate".
    """
    for name, walk in paths.items():
        if walk.ndim != 1 or len(walk) < 2:
            raise ValueError(f"{name}: expected the weights of at least one step, got {walk.shape}")
    nearer = {
        name: bool(abs(walk[-1] - minimum) < abs(walk[0] - minimum)) for name, walk in paths.items()
    }

    def draw(figure: "Figure", theme: Theme) -> None:
        from matplotlib.ticker import MaxNLocator

        panels = figure.subplots(1, len(paths), squeeze=False)[0]
        for axes, (name, walk) in zip(panels, paths.items(), strict=True):
            colour = theme.blue if nearer[name] else theme.red
            reach = 1.2 * float(np.abs(walk - minimum).max()) or 1.0
            w = np.linspace(minimum - reach, minimum + reach, 201)
            axes.plot(w, error(w), color=theme.muted, linewidth=1.6)
            axes.axvline(minimum, color=theme.line, linewidth=0.8, zorder=0)
            heights = error(walk)
            for k in range(len(walk) - 1):
                axes.annotate(
                    "", (walk[k + 1], heights[k + 1]), (walk[k], heights[k]),
                    arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": 1.4,
                                "shrinkA": 0, "shrinkB": 2, "mutation_scale": 9},
                )  # fmt: skip
            axes.plot(walk, heights, "o", color=colour, markersize=5)
            for k, side in _numbered(walk, heights, minimum):
                axes.annotate(f"{k}", (walk[k], heights[k]), (8 * side, 0), va="center",
                              ha="left" if side > 0 else "right", textcoords="offset points",
                              color=colour, fontweight="bold")  # fmt: skip
            axes.set_title(name, color=colour)
            axes.set_xlabel("w", labelpad=2)
            axes.set_xlim(minimum - 1.12 * reach, minimum + 1.12 * reach)
            axes.xaxis.set_major_locator(MaxNLocator(nbins=4))
            axes.yaxis.set_major_locator(MaxNLocator(nbins=4))
            axes.tick_params(length=0)
        panels[0].set_ylabel("E", rotation=0, labelpad=10)

    save_picture(path, (5.0, 3.1), draw)
    stories = [
        f"{name}: from E = {error(walk)[0]:.4g} to {error(walk)[-1]:.4g} in {len(walk) - 1} steps, "
        f"{'towards the minimum' if nearer[name] else 'no nearer to the minimum'}"
        for name, walk in paths.items()
    ]
    return Picture(
        path,
        f"The error against the weight, with the path of gradient descent. {'. '.join(stories)}.",
        f"The numbers count the steps; the minimum is at w = {minimum:.4g}. {'. '.join(stories)}.",
    )


def _numbered(walk: np.ndarray, heights: np.ndarray, minimum: float) -> list[tuple[int, int]]:
    """The steps that have room for their number, each with the side of it, outside the curve."""
    chosen: list[tuple[int, int]] = []
    room = 0.08 * float(np.ptp(heights))
    for k in range(len(walk)):
        side = 1 if walk[k] > minimum else -1
        if all(abs(heights[k] - heights[j]) > room for j, other in chosen if other == side):
            chosen.append((k, side))
    return chosen
