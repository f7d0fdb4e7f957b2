"""The lecture's pictures of a run. Each returns a `Picture` with its words."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dl_jax.report.numbers import format_number
from dl_jax.report.picture import Picture, Theme, save_picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MAX_ANNOTATED = 20  # more classes than this, and counts no longer fit into their cells


def plot_history(history: Sequence[Mapping[str, Any]], path: Path, *, title: str) -> Picture:
    """Loss and accuracy against epochs: dots for training, a line for validation.

    Args:
        history: a row an epoch: `epoch`, `loss`, and where they exist `accuracy`, `val_loss`,
            `val_accuracy`. Values that are not finite leave a gap.
        path: of the PNG.
        title: above the picture.

    Raises:
        ValueError: for a history without an epoch.

    Source: slides "Plotting the training and validation loss" and "... accuracy".
    """
    if not history:
        raise ValueError("history: expected at least one finished epoch, got none")
    epochs = _column(history, "epoch")
    metrics = [name for name in ("loss", "accuracy") if any(name in row for row in history)]
    columns = {key: _column(history, key) for m in metrics for key in (m, f"val_{m}")}
    best = _argmin(columns.get("val_loss"))
    pad = min(0.6, 0.04 * float(np.ptp(epochs))) or 0.6  # there is no epoch 0 to be ticked

    def draw(figure: "Figure", theme: Theme) -> None:
        from matplotlib.ticker import MaxNLocator

        panels = figure.subplots(1, len(metrics), squeeze=False)[0]
        handles = {}
        for axes, metric in zip(panels, metrics, strict=True):
            train, validation = columns[metric], columns[f"val_{metric}"]
            axes.set_title(metric.capitalize())
            axes.set_xlabel("Epoch")
            axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1))
            axes.yaxis.set_major_locator(MaxNLocator(nbins=5))
            axes.grid(axis="y")
            axes.tick_params(length=0)
            axes.set_axisbelow(True)
            axes.margins(y=0.06)
            axes.set_xlim(epochs.min() - pad, epochs.max() + pad)
            axes.spines["left"].set_visible(False)
            dots = {"markersize": 5.5, "color": theme.blue, "clip_on": False}
            handles["training"] = axes.plot(epochs, train, "o", **dots)[0]
            if not np.isfinite(validation).any():
                continue
            stroke = {"linewidth": 2.2, "color": theme.red, "solid_capstyle": "round"}
            # A lone epoch is a line without length: only a marker shows it.
            marker = "s" if np.isfinite(validation).sum() == 1 else ""
            handles["validation"] = axes.plot(epochs, validation, marker=marker, **stroke)[0]
            if best is not None:
                axes.axvline(epochs[best], color=theme.muted, linewidth=1, linestyle=(0, (1, 3)))
                ring = {"markersize": 10, "markeredgewidth": 1.8, "markeredgecolor": theme.ink}
                label = f"lowest validation loss (epoch {epochs[best]:.0f})"
                handles[label] = axes.plot(
                    epochs[best], validation[best], "o", markerfacecolor="none", zorder=3, **ring
                )[0]
        figure.suptitle(title, x=0.012, ha="left", fontsize=12, fontweight="bold")
        figure.legend(
            list(handles.values()),
            list(handles),
            loc="outside lower left",
            ncols=3 if len(metrics) > 1 else 1,
            handletextpad=0.4,
            columnspacing=1.6,
        )

    save_picture(path, (5.8, 3.4) if len(metrics) > 1 else (4.2, 3.9), draw)
    last = ", ".join(
        f"{key.replace('val_', 'validation ')} {format_number(float(values[-1]))}"
        for key, values in columns.items()
        if np.isfinite(values[-1])
    )
    alt = f"{title}: {' and '.join(metrics)} against epochs. After epoch {epochs[-1]:.0f}: {last}."
    caption = "Dots are the training data"
    caption += ", the line is the validation data." if best is not None else "."
    if best is not None:
        lowest = format_number(float(columns["val_loss"][best]))
        caption += f" The validation loss is lowest, {lowest}, at epoch {epochs[best]:.0f}."
    return Picture(path, alt, caption)


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


def _column(history: Sequence[Mapping[str, Any]], key: str) -> np.ndarray:
    """A column as floats, with NaN for what is missing or not finite."""
    values = np.array([float(row.get(key, np.nan)) for row in history])
    return np.where(np.isfinite(values), values, np.nan)


def _argmin(values: np.ndarray | None) -> int | None:
    """The index of the lowest finite value, if there is one."""
    if values is None or not np.isfinite(values).any():
        return None
    return int(np.nanargmin(values))


def _cell(i: int, colour: str) -> Any:
    """The grey cell on the diagonal at row and column i."""
    from matplotlib.patches import Rectangle

    return Rectangle((i - 0.5, i - 0.5), 1, 1, facecolor=colour, alpha=0.55, linewidth=0)


def _top_classes(probabilities: np.ndarray, target: int) -> list[int]:
    """The three most probable classes, the last one giving way to the true class if absent."""
    top = [int(label) for label in np.argsort(-probabilities, kind="stable")[:3]]
    return top if target in top else [*top[:-1], target]
