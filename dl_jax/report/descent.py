"""Pictures of gradient descent: the path down a curve, and weights against steps."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
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


def plot_weights(
    weights: np.ndarray,
    errors: np.ndarray,
    hidden: np.ndarray,
    path: Path,
    *,
    title: str,
    names: Sequence[str] = ("w₁", "w₂", "w₃"),
) -> Picture:
    """Weights and error against steps, with the weights that were to be found.

    Args:
        weights: before the first step and after each, `[steps + 1, k]`.
        errors: E of each row, `[steps + 1]`. Those that are not finite leave a gap.
        hidden: the weights that made the targets, `[k]`.
        path: of the PNG.
        title: above the picture.
        names: of the weights, `k` of them, at most three.

    Raises:
        ValueError: where the shapes do not fit each other.

    Source: slide "gradient descent", `Δw_k = −ε ∂E/∂w_k`.
    """
    shape = (len(errors), len(names))
    if weights.shape != shape or hidden.shape != shape[1:]:
        raise ValueError(
            f"weights and hidden: expected shapes {shape} and {shape[1:]}, "
            f"got {weights.shape} and {hidden.shape}"
        )
    steps = np.arange(len(errors))
    weights = np.where(np.isfinite(weights), weights, np.nan).astype(float)
    found = "; ".join(
        f"{name} = {w:.4g}" for name, w in zip(names, weights[-1].tolist(), strict=True)
    ).replace("-", "−")

    def draw(figure: "Figure", theme: Theme) -> None:
        from matplotlib.ticker import MaxNLocator

        left, right = figure.subplots(1, 2, width_ratios=[1.15, 1])
        colours = (theme.blue, theme.red, theme.ink)
        shown = [*weights[np.isfinite(weights)], *hidden]
        places = _apart(hidden, 0.09 * float(np.ptp(shown)))
        for k, (name, colour) in enumerate(zip(names, colours, strict=False)):
            left.axhline(hidden[k], color=colour, linewidth=1.2, linestyle=(0, (1, 2.5)))
            left.plot(steps, weights[:, k], color=colour, linewidth=2.4)
            left.annotate(name, (1, places[k]), (6, 0), xycoords=left.get_yaxis_transform(),
                          textcoords="offset points", va="center", color=colour,
                          fontweight="bold", annotation_clip=False)  # fmt: skip
        left.set_title("Weights")
        right.set_title("E")
        right.plot(steps, np.where(np.isfinite(errors) & (errors > 0), errors, np.nan),
                   color=theme.muted, linewidth=2.4)  # fmt: skip
        right.set_yscale("log")
        right.yaxis.set_major_formatter(lambda e, _: f"10{_power(round(np.log10(e)))}")
        for axes in (left, right):
            axes.set_xlabel("Step")
            axes.xaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
            axes.grid(axis="y")
            axes.set_axisbelow(True)
            axes.yaxis.minorticks_off()
            axes.tick_params(length=0)
            axes.spines["left"].set_visible(False)
        figure.suptitle(title, x=0.012, ha="left", fontsize=12, fontweight="bold")

    save_picture(path, (5.0, 3.1), draw)
    story = f"E goes from {errors[0]:.4g} to {errors[-1]:.4g} in {len(errors) - 1} steps"
    return Picture(
        path,
        f"{title}: weights and error against steps. At the end {found}; {story}.",
        f"Dotted are the hidden weights; those found at the end are {found}. {story}.",
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


def _power(exponent: int) -> str:
    """The exponent as a superscript: a formula's font would not be the picture's."""
    return str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _apart(values: np.ndarray, distance: float) -> np.ndarray:
    """Heights for labels: those of the values, moved up until they are `distance` apart."""
    places = np.array(values, float)
    order = np.argsort(places, kind="stable")
    for below, above in pairwise(order):
        places[above] = max(places[above], places[below] + distance)
    return places
