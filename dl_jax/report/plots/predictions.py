"""Images beside what a network makes of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dl_jax.report.picture import Picture, Theme, save_picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_predictions(
    images: np.ndarray,
    targets: np.ndarray,
    probabilities: np.ndarray,
    class_names: Sequence[str],
    path: Path,
) -> Picture:
    """Images, each beside its most probable classes: blue is the true class, red a wrong one.

    Args:
        images: uint8 `[n, height, width, channels]`, one channel or three.
        targets: the true classes `[n]`.
        probabilities: `[n, k]`.
        class_names: `k` names.
        path: of the PNG.

    Raises:
        ValueError: where the shapes do not fit each other.
    """
    images, targets = np.asarray(images), np.asarray(targets)
    probabilities, n, k = np.asarray(probabilities), len(images), len(class_names)
    if images.ndim != 4 or images.shape[-1] not in (1, 3) or not n:
        raise ValueError(f"images: expected shape [n, h, w, 1 or 3], got {images.shape}")
    if targets.shape != (n,) or probabilities.shape != (n, k):
        raise ValueError(
            f"targets and probabilities: expected shapes {(n,)} and {(n, k)}, "
            f"got {targets.shape} and {probabilities.shape}"
        )
    predictions, rows = probabilities.argmax(-1), -(-n // 2)

    def draw(figure: "Figure", theme: Theme) -> None:
        grid = figure.add_gridspec(rows, 4, width_ratios=[1, 1.75, 1, 1.75])
        for index in range(n):
            row, column = divmod(index, 2)
            axes = figure.add_subplot(grid[row, 2 * column])
            axes.imshow(images[index].squeeze(-1) if images.shape[-1] == 1 else images[index],
                        cmap=theme.image_map, vmin=0, vmax=255)  # fmt: skip
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(True)
            target = int(targets[index])
            bars = figure.add_subplot(grid[row, 2 * column + 1])
            bars.set(xlim=(0, 1), ylim=(2.62, -0.62), xticks=[], yticks=[])
            bars.spines[:].set_visible(False)
            for place, label in enumerate(_top_classes(probabilities[index], target)):
                wrong = label == predictions[index] != target
                accent = theme.blue if label == target else theme.red if wrong else theme.muted
                p = float(probabilities[index, label])
                bars.barh(place + 0.26, 1, height=0.16, color=theme.line)
                bars.barh(place + 0.26, p, height=0.16, color=accent)
                style: dict[str, Any] = {"va": "center", "fontsize": 10.5, "color": accent}
                if label in (target, predictions[index]):
                    style["fontweight"] = "bold"
                bars.text(0, place - 0.12, class_names[label], ha="left", **style)
                bars.text(1, place - 0.12, f"{p:.0%}", ha="right", **style)

    save_picture(path, (5.8, 1.18 * rows), draw)
    right = int((predictions == targets).sum())
    caption = (
        "The most probable classes of each image. Blue is the true class; orange is a wrong one."
    )
    wrong = [
        f"{class_names[targets[i]]} taken for {class_names[predictions[i]]}"
        for i in np.flatnonzero(predictions != targets)
    ]
    alt = f"{n} images with the probabilities of their classes; {right} are predicted right."
    return Picture(path, alt + (f" Wrong: {', '.join(wrong)}." if wrong else ""), caption)


def _top_classes(probabilities: np.ndarray, target: int) -> list[int]:
    """The three most probable classes, the last one giving way to the true class if absent."""
    top = [int(label) for label in np.argsort(-probabilities, kind="stable")[:3]]
    return top if target in top else [*top[:-1], target]
