"""Which classes are taken for which."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dl_jax.report.picture import Picture, Theme, save_picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MAX_ANNOTATED = 20  # more classes than this, and counts no longer fit into their cells


def plot_confusion(matrix: np.ndarray, class_names: Sequence[str], path: Path) -> Picture:
    """Which classes are taken for which: rows are true, columns predicted.

    Only errors are coloured, by their share of the most frequent one; the diagonal is grey, for
    it would drown them.

    Args:
        matrix: counts `[k, k]`; `matrix[i, j]` examples of class i were predicted as j.
        class_names: `k` names.
        path: of the PNG.

    Raises:
        ValueError: for a matrix that is not `[k, k]`.
    """
    counts, k = np.asarray(matrix), len(class_names)
    if counts.shape != (k, k):
        raise ValueError(f"matrix: expected shape {(k, k)} for {k} classes, got {counts.shape}")
    errors = np.where(np.eye(k, dtype=bool), 0, counts)

    def draw(figure: "Figure", theme: Theme) -> None:
        from matplotlib.colors import LinearSegmentedColormap

        axes = figure.subplots()
        colours = LinearSegmentedColormap.from_list("errors", [theme.surface, theme.red])
        # The darkest cell stops short of the full colour, so that its number can be read.
        axes.imshow(errors, cmap=colours, vmin=0, vmax=max(1, errors.max()) / 0.6)
        axes.set_xlabel("Predicted")
        axes.set_ylabel("True")
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0, labelcolor=theme.ink)
        if k <= 2 * _MAX_ANNOTATED:
            tilt = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
            longest = max(len(name) for name in class_names)
            axes.set_xticks(range(k), class_names, **(tilt if k * longest > 40 else {}))
            axes.set_yticks(range(k), class_names)
        edges, size = np.arange(k + 1) - 0.5, 13 if k <= 5 else 10
        axes.hlines(edges, -0.5, k - 0.5, color=theme.line, linewidth=0.8)
        axes.vlines(edges, -0.5, k - 0.5, color=theme.line, linewidth=0.8)
        for i in range(k):
            axes.add_patch(_cell(i, theme.line))
            for j in range(k) if k <= _MAX_ANNOTATED else ():
                faint = i == j or counts[i, j] == 0
                colour = theme.muted if faint else theme.ink
                text = f"{counts[i, j]:,}" if counts[i, j] or i == j else "·"
                axes.text(j, i, text, ha="center", va="center", color=colour, fontsize=size)

    save_picture(path, (5.8, 5.7) if k > 5 else (4.2, 3.7), draw)
    correct, total = int(np.trace(counts)), int(counts.sum())
    alt = f"Confusion matrix of {k} classes: {correct:,} of {total:,} predictions are right."
    caption = "Rows are the true classes, columns the predicted ones; only errors are coloured."
    if errors.any():
        i, j = divmod(int(errors.argmax()), k)
        often = f"{class_names[i]} taken for {class_names[j]}, {errors[i, j]:,} times"
        alt += f" Most frequent error: {often}."
        caption += f" The most frequent one is {often}."
    return Picture(path, alt, caption)


def _cell(i: int, colour: str) -> Any:
    """The grey cell on the diagonal at row and column i."""
    from matplotlib.patches import Rectangle

    return Rectangle((i - 0.5, i - 0.5), 1, 1, facecolor=colour, alpha=0.55, linewidth=0)
