"""A neuron's weights and its error against the steps of gradient descent."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dl_jax.report.picture import Picture, Theme, save_picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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
    weights = weights.astype(float)  # the distance of two large float32 is none
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
