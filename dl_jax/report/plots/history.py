"""The lecture's curves of a run: loss and accuracy against epochs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dl_jax.report.numbers import format_number
from dl_jax.report.picture import Picture, Theme, save_picture
from dl_jax.report.spread import Spread

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BOUNDS = ("low", "high")


def plot_history(
    history: Sequence[Mapping[str, Any]],
    path: Path,
    *,
    title: str,
    spread: Sequence[Mapping[str, Spread]] = (),
) -> Picture:
    """Loss and accuracy against epochs: dots for training, a line for validation.

    Of several seeds they are the means, with bands of the means' 95 % intervals.

    Args:
        history: a row an epoch: `epoch`, `loss`, and where they exist `accuracy`, `val_loss`,
            `val_accuracy`. Values that are not finite leave a gap.
        path: of the PNG.
        title: above the picture.
        spread: of several seeds, a row an epoch with the spread of each value.

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
            for key, colour in ((metric, theme.blue), (f"val_{metric}", theme.red)):
                low, high = (_column([row.get(key, {}) for row in spread], k) for k in _BOUNDS)
                if np.isfinite(low).any():
                    band = {"color": colour, "alpha": 0.22, "linewidth": 0}
                    axes.fill_between(epochs, low, high, **band)
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
    if spread and (numbers := [one["n"] for one in spread[0].values()]):
        caption += f" Means of {numbers[0]} seeds, with bands of their 95 % intervals."
    return Picture(path, alt, caption)


def _column(history: Sequence[Mapping[str, Any]], key: str) -> np.ndarray:
    """A column as floats, with NaN for what is missing or not finite."""
    values = np.array([float(row.get(key, np.nan)) for row in history])
    return np.where(np.isfinite(values), values, np.nan)


def _argmin(values: np.ndarray | None) -> int | None:
    """The index of the lowest finite value, if there is one."""
    if values is None or not np.isfinite(values).any():
        return None
    return int(np.nanargmin(values))
