"""What a sweep over a hyperparameter found."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dl_jax.report.numbers import format_number
from dl_jax.report.picture import Picture, Theme, save_picture
from dl_jax.report.plots.ticks import log_ticks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STYLES = ("-", (0, (5, 2)), (0, (1, 1.5)), "-.")


class Point(NamedTuple):
    """A value of the hyperparameter, and what training with it came to.

    Attributes:
        value: of the hyperparameter.
        mean: of the metric, over seeds.
        low: of the mean's 95 % interval; the mean itself for one seed.
        high: of the same.
    """

    value: float
    mean: float
    low: float
    high: float


def plot_sweep(
    lines: Mapping[str, Sequence[Point]], path: Path, *, name: str, metric: str, title: str
) -> Picture:
    """A metric against a hyperparameter's values; logarithmic where they span a decade.

    Args:
        lines: by label, `""` where there is one alone; for example by the value of another
            hyperparameter. Means that are not finite leave a gap.
        path: of the PNG.
        name: the hyperparameter.
        metric: what is plotted.
        title: above the picture.

    Raises:
        ValueError: without a point.
    """
    points = [point for line in lines.values() for point in line]
    if not points:
        raise ValueError("sweep: expected at least one point, got none")
    values = [point.value for point in points]
    logarithmic = min(values) > 0 and max(values) >= 10 * min(values)

    def draw(figure: "Figure", theme: Theme) -> None:
        from matplotlib.ticker import MaxNLocator

        axes = figure.subplots()
        colours = (theme.blue, theme.red, theme.ink, theme.muted)
        for i, (label, line) in enumerate(lines.items()):
            x, mean, low, high = np.array(sorted(line, key=lambda point: point.value), float).T
            mean = np.where(np.isfinite(mean), mean, np.nan)
            colour, style = colours[i % 4], _STYLES[i // 4 % 4]
            axes.fill_between(x, low, high, color=colour, alpha=0.22, linewidth=0)
            stroke = {"linewidth": 2, "markersize": 5, "linestyle": style, "color": colour}
            axes.plot(x, mean, marker="o", label=label, **stroke)
        axes.set(title=title, xlabel=name.replace("_", " ").capitalize(), ylabel=metric)
        axes.set_xscale("log" if logarithmic else "linear")
        if logarithmic:
            log_ticks(axes, "x", "{:g}".format)
        else:
            axes.xaxis.set_major_locator(MaxNLocator(nbins=5))
        axes.grid(axis="y")
        axes.set_axisbelow(True)
        axes.tick_params(which="both", length=0)
        axes.spines["left"].set_visible(False)
        if len(lines) > 1:
            axes.legend()

    save_picture(path, (5.8, 3.6), draw)
    finite = [point for point in points if np.isfinite(point.mean)]
    said = [f"{point.value:g}: {format_number(point.mean)}" for point in points]
    caption = f"{metric} after the last epoch, for each {name.replace('_', ' ')}."
    if len(finite) < len(points):
        caption += f" {len(points) - len(finite)} of {len(points)} diverged and leave a gap."
    if any(point.high > point.low for point in finite):
        caption += " Bands are 95 % intervals of the mean over seeds."
    return Picture(path, f"{title}. {metric} by {name}: {'; '.join(said)}.", caption)
