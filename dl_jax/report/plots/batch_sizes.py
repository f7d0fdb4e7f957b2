"""Step time against batch size."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dl_jax.report import units
from dl_jax.report.picture import Picture, Theme, save_picture
from dl_jax.report.plots.labels import Label, label_beside
from dl_jax.report.plots.ticks import log_ticks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LINE = 0.2  # inches: of a label
_DASHES = ("-", (0, (5, 2)), (0, (1, 1.5)), "-.")


class Series(NamedTuple):
    """A program at several batch sizes.

    Attributes:
        label: what it is called.
        batch_sizes: increasing, `[n]`.
        median: seconds of a step, `[n]`.
        q1: its lower quartile, `[n]`.
        q3: its upper quartile, `[n]`.
    """

    label: str
    batch_sizes: Sequence[int]
    median: Sequence[float]
    q1: Sequence[float]
    q3: Sequence[float]


def plot_batch_sizes(series: Sequence[Series], path: Path, *, title: str) -> Picture:
    """Seconds of a step against the batch size, both logarithmic, with quartiles.

    A line at 45 degrees costs the same for each example; a level one costs the same for each step.

    Args:
        series: the programs, each with at least two batch sizes.
        path: of the PNG.
        title: above the picture.

    Raises:
        ValueError: without a program, or for one with fewer than two batch sizes.
    """
    if not series or any(len(one.batch_sizes) < 2 for one in series):
        counts = [len(one.batch_sizes) for one in series]
        raise ValueError(f"batch sizes: expected at least two of each program, got {counts}")
    sizes = sorted({size for one in series for size in one.batch_sizes})
    height = max(3.6, _LINE * len(series) + 1.0)
    low = min(min(one.q1) for one in series) / 1.5
    high = max(max(one.q3) for one in series) * 1.5

    def draw(figure: "Figure", theme: Theme) -> None:
        from matplotlib.ticker import NullLocator

        axes = figure.subplots()
        axes.set(xscale="log", yscale="log", title=title, xlabel="Batch size", ylabel="One step")
        axes.set(xlim=(sizes[0] / 1.15, sizes[-1] * 1.15), ylim=(low, high))
        axes.xaxis.set_minor_locator(NullLocator())
        readable = _readable(sizes)
        axes.set_xticks(readable, [f"{size:,}" for size in readable])
        log_ticks(axes, "y", units.short_seconds)
        axes.grid(axis="y")
        axes.set_axisbelow(True)
        axes.tick_params(which="both", length=0)
        axes.spines["left"].set_visible(False)
        colours, labels = (theme.blue, theme.red, theme.ink, theme.muted), []
        for i, one in enumerate(series):
            colour = colours[i % len(colours)]
            dashes = _DASHES[i // len(colours) % len(_DASHES)]
            stroke = {"color": colour, "linewidth": 2, "solid_capstyle": "round"}
            axes.plot(one.batch_sizes, one.median, "o", color=colour, markersize=5)
            axes.plot(one.batch_sizes, one.median, linestyle=dashes, **stroke)
            axes.vlines(one.batch_sizes, one.q1, one.q3, color=colour, linewidth=5, alpha=0.35)
            labels.append(Label(one.label, one.batch_sizes[-1], one.median[-1], colour))
        label_beside(axes, labels, gap=_LINE / (height - 1.0), line=theme.line)

    save_picture(path, (5.8, height), draw)
    parts = [
        f"{one.label}: from {units.seconds(one.median[0])} at {one.batch_sizes[0]} to "
        f"{units.seconds(one.median[-1])} at {one.batch_sizes[-1]}"
        for one in series
    ]
    caption = (
        "Both axes are logarithmic; the broad strokes are quartiles. Where a line is level, a "
        "larger batch costs nothing."
    )
    return Picture(path, f"{title}. {'; '.join(parts)}.", caption)


def _readable(sizes: Sequence[int]) -> list[int]:
    """The sizes whose numbers have room on a logarithmic axis, from the largest down."""
    kept: list[int] = []
    least = max(1.0, sizes[-1] / sizes[0]) ** (1 / 7)
    for size in reversed(sizes):
        if not kept or kept[-1] / size >= least:
            kept.append(size)
    return kept
