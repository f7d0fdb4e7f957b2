"""The softmax's pictures: its probabilities, and how each depends on every logit."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dl_jax.report.picture import Picture, Theme, save_picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_probabilities(
    predictions: Mapping[str, np.ndarray], class_names: Sequence[str], path: Path
) -> Picture:
    """Predictions below each other, a bar a class; the most probable class is blue.

    Args:
        predictions: `{name: p}`, probabilities `[k]`.
        class_names: `k` names.
        path: of the PNG.

    Raises:
        ValueError: where the shapes do not fit each other.

    Source: slides "Softmax", a strong and a weak prediction.
    """
    k = len(class_names)
    for name, p in predictions.items():
        if p.shape != (k,):
            raise ValueError(f"{name}: expected {k} probabilities, got shape {p.shape}")

    def draw(figure: "Figure", theme: Theme) -> None:
        panels = figure.subplots(len(predictions), 1, squeeze=False, sharex=True)[:, 0]
        for axes, (name, p) in zip(panels, predictions.items(), strict=True):
            best = int(p.argmax())
            colours = [theme.blue if i == best else theme.muted for i in range(k)]
            axes.bar(range(k), p, color=colours, width=0.72)
            for i, (value, colour) in enumerate(zip(p.tolist(), colours, strict=True)):
                axes.annotate(_percent(value), (i, value), (0, 3), textcoords="offset points",
                              ha="center", color=colour,
                              fontweight="bold" if i == best else None)  # fmt: skip
            axes.set_title(name)
            axes.set(ylim=(0, 1.12), yticks=[], xticks=range(k))
            axes.set_xticklabels(class_names)
            axes.tick_params(length=0, labelcolor=theme.ink, labelbottom=True)
            axes.spines["left"].set_visible(False)

    save_picture(path, (4.9, 1.8 * len(predictions)), draw)
    stories = [
        f"{name}: {class_names[int(p.argmax())]} with probability {float(p.max()):.3f}, "
        f"the sum over all classes is {float(p.sum()):.6g}"
        for name, p in predictions.items()
    ]
    caption = f"The probability of each class, in per cent. {'. '.join(stories)}."
    return Picture(
        path, f"Bars of the probabilities of {k} classes. {'. '.join(stories)}.", caption
    )


def plot_jacobian(jacobian: np.ndarray, path: Path) -> Picture:
    """The derivatives of all outputs by all inputs: blue raises the output, red lowers it.

    Args:
        jacobian: `[k, k]`; `jacobian[i, j]` is dy_i/dz_j.
        path: of the PNG.

    Raises:
        ValueError: for a matrix that is not square.

    Source: slide "Softmax", "depends on the outputs of all the other neurons in its layer".
    """
    k = len(jacobian)
    if jacobian.shape != (k, k) or not k:
        raise ValueError(f"jacobian: expected shape [k, k], got {jacobian.shape}")

    def draw(figure: "Figure", theme: Theme) -> None:
        from matplotlib.colors import LinearSegmentedColormap

        axes = figure.subplots()
        ends = [theme.red, theme.surface, theme.blue]
        colours = LinearSegmentedColormap.from_list("signs", ends)
        # The strongest cell stops short of the full colour, so that its number can be read.
        reach = max(float(np.abs(jacobian).max()), 0.01) / 0.55
        axes.imshow(jacobian, cmap=colours, vmin=-reach, vmax=reach)
        for (i, j), value in np.ndenumerate(jacobian):
            text = f"{value:+.3f}".replace("-", "−") if abs(value) >= 0.0005 else "≈ 0"
            axes.text(j, i, text, ha="center", va="center", fontsize=13)
        edges = np.arange(k + 1) - 0.5
        axes.hlines(edges, -0.5, k - 0.5, color=theme.surface, linewidth=3)
        axes.vlines(edges, -0.5, k - 0.5, color=theme.surface, linewidth=3)
        index = [str(i + 1).translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")) for i in range(k)]
        axes.set_xticks(range(k), [f"∂z{i}" for i in index])
        axes.set_yticks(range(k), [f"∂y{i}" for i in index])
        axes.xaxis.tick_top()
        axes.tick_params(length=0, labelcolor=theme.ink, labelsize=13)
        axes.spines[:].set_visible(False)

    save_picture(path, (4.0, 3.6), draw)
    sums, least = np.abs(jacobian.sum(1)).max(), np.abs(jacobian).min()
    none = f"No cell is 0, the nearest is {least:.2g}" if least else "The softmax is saturated"
    return Picture(
        path,
        f"The {k} by {k} derivatives of the softmax’s outputs by its logits, from "
        f"{jacobian.min():.3f} to {jacobian.max():.3f}.",
        "How the output in each row changes with the logit in each column: blue grows, orange "
        f"shrinks. {none}; each row sums to 0, here to {sums:.0e}.",
    )


def _percent(p: float) -> str:
    """Whole per cent; what rounds to 0 is said to be less than 1."""
    return "<1" if p < 0.005 else f"{100 * p:.0f}"
