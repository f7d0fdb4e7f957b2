"""The perceptron's picture: points of two classes, and the lines between them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dl_jax.report.picture import Picture, Theme, save_picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_decision_boundary(
    points: np.ndarray,
    labels: np.ndarray,
    boundaries: Mapping[str, tuple[np.ndarray, float]],
    path: Path,
    *,
    axis_names: tuple[str, str] = ("Hours of sleep", "Hours of study"),
    class_names: tuple[str, str] = ("below average", "above average"),
    probability: Callable[[np.ndarray], np.ndarray] | None = None,
) -> Picture:
    """Points of two classes, and the lines that models draw between them.

    Args:
        points: `[n, 2]`, for example hours of sleep and of study.
        labels: `[n]`, 0 or 1.
        boundaries: `{name: (w, b)}`, each the line w·x + b = 0. One without a line (both
            weights zero, or not finite) is named in the legend as such.
        path: of the PNG.
        axis_names: what the two coordinates are, with their unit.
        class_names: what labels 0 and 1 mean.
        probability: `[m, 2] -> [m]`, the probability of label 1, to shade the plane by.

    Raises:
        ValueError: where the shapes do not fit each other.

    Source: slides "Perceptron" (hours of sleep, hours of study).
    """
    points, labels = np.asarray(points, float), np.asarray(labels)
    if points.ndim != 2 or points.shape[1] != 2 or labels.shape != points.shape[:1]:
        raise ValueError(
            f"points and labels: expected shapes [n, 2] and [n], got {points.shape} "
            f"and {labels.shape}"
        )
    margin = 0.05 * np.ptp(points, axis=0) + 1e-9
    low, high = points.min(0) - margin, points.max(0) + margin

    def draw(figure: "Figure", theme: Theme) -> None:
        from matplotlib.colors import LinearSegmentedColormap

        axes = figure.subplots()
        if probability is not None:
            x, y = np.meshgrid(*np.linspace(low, high, 160).T)
            p = np.asarray(probability(np.stack([x.ravel(), y.ravel()], -1))).reshape(x.shape)
            ends = [theme.red, theme.surface, theme.blue]
            shades = LinearSegmentedColormap.from_list("sides", ends)
            extent = (low[0], high[0], low[1], high[1])
            axes.imshow(p, cmap=shades, vmin=0, vmax=1, alpha=0.3, extent=extent, origin="lower",
                        aspect="auto", interpolation="bilinear", zorder=0)  # fmt: skip
        looks = (("s", theme.red, "none"), ("o", theme.blue, theme.blue))
        for label, (marker, colour, fill) in enumerate(looks):
            chosen = points[labels == label]
            axes.scatter(*chosen.T, s=26, marker=marker, edgecolors=colour, facecolors=fill,
                         linewidths=1.3, label=class_names[label])  # fmt: skip
        styles = ("-", (0, (5, 2.5)), (0, (1, 1.5)), "-.")
        for index, (name, (weights, bias)) in enumerate(boundaries.items()):
            w, dashes = np.asarray(weights, float).ravel(), styles[index % len(styles)]
            if not np.isfinite([*w, bias]).all() or not w.any():
                axes.plot([], [], color=theme.ink, linestyle=dashes, label=f"{name} (no line)")
                continue
            x, y = (-float(bias) * w / (w @ w)).tolist()  # the line's point next to the origin
            axes.axline((x, y), (x - w[1], y + w[0]), color=theme.ink, linewidth=2,
                        linestyle=dashes, label=name)  # fmt: skip
        axes.set(xlabel=axis_names[0], ylabel=axis_names[1])
        axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
        axes.tick_params(length=0)
        figure.legend(loc="outside upper left", ncols=2, handletextpad=0.5, columnspacing=1.6)

    save_picture(path, (5.2, 5.0), draw)
    names = " and ".join(boundaries)
    alt = (
        f"{len(points)} points by {axis_names[0].lower()} and {axis_names[1].lower()}, "
        f"{int((labels == 1).sum())} of them {class_names[1]}, with the boundary of {names}."
    )
    caption = f"Where {names} part {class_names[0]} from {class_names[1]}."
    if probability is not None:
        caption += (
            f" The shade is the probability of {class_names[1]}: blue likely, orange unlikely."
        )
    return Picture(path, alt, caption)
