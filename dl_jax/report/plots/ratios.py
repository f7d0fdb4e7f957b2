"""Ratios of times, with their spread."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dl_jax.report import units
from dl_jax.report.picture import Picture, Theme, save_picture
from dl_jax.report.plots.ticks import log_ticks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ROW = 0.3  # inches: from one ratio to the next


class Ratio(NamedTuple):
    """A ratio and the bounds of its spread; `noisy` if it is too noisy to call."""

    label: str
    median: float
    low: float
    high: float
    noisy: bool = False


def plot_ratios(
    groups: Mapping[str, Sequence[Ratio]], path: Path, *, title: str, meaning: str
) -> Picture:
    """Ratios on a logarithmic axis, each with its spread, and a line where both are the same.

    Those whose spread lies above 1 are blue, below 1 red; those that cannot be told from 1, or
    are too noisy to call, are grey.

    Args:
        groups: the ratios by what they are of.
        path: of the PNG.
        title: above the picture.
        meaning: what the ratio is of what.

    Raises:
        ValueError: without a ratio, or for one that is not positive.
    """
    ratios = [ratio for group in groups.values() for ratio in group]
    if not ratios or min(ratio.low for ratio in ratios) <= 0:
        raise ValueError(f"ratios: expected positive ones, at least one, got {ratios}")
    low = min(0.8, min(ratio.low for ratio in ratios) / 1.15)
    high = max(1.25, max(ratio.high for ratio in ratios) * 1.15)
    height = _ROW * (len(ratios) + len(groups)) + 1.1

    def draw(figure: "Figure", theme: Theme) -> None:
        axes = figure.subplots()
        axes.set(xscale="log", xlim=(low, high), title=title, xlabel=meaning)
        log_ticks(axes, "x", lambda x: f"{x:g}")
        axes.axvline(1, color=theme.ink, linewidth=1.2)
        place, places, names = 0, [], []
        for group, members in groups.items():
            places.append(place)
            names.append(group)
            for ratio in members:
                place += 1
                certain = not ratio.noisy and (ratio.low > 1 or ratio.high < 1)
                colour = (theme.blue if ratio.median > 1 else theme.red) if certain else theme.muted
                axes.hlines(place, ratio.low, ratio.high, color=colour, linewidth=5, alpha=0.35)
                axes.plot(ratio.median, place, "o", color=colour, markersize=7)
                axes.text(1.02, place, units.digits(ratio.median), va="center_baseline",
                          transform=axes.get_yaxis_transform())  # fmt: skip
                places.append(place)
                names.append(ratio.label)
            place += 1
        axes.set_ylim(place - 0.4, -0.6)
        axes.set_yticks(places, names)
        for tick, name in zip(axes.get_yticklabels(), names, strict=True):
            tick.set_fontweight("bold" if name in groups else "normal")
        axes.grid(axis="x")
        axes.set_axisbelow(True)
        axes.tick_params(which="both", length=0)
        axes.tick_params(axis="y", labelcolor=theme.ink)
        axes.spines[:].set_visible(False)

    save_picture(path, (5.8, height), draw)
    parts = [
        f"{group}, {ratio.label} {units.digits(ratio.median)}"
        for group, members in groups.items()
        for ratio in members
    ]
    caption = (
        f"{meaning}. Broad strokes are the spread by quartiles; grey is what cannot be told from 1 "
        "or is too noisy to call."
    )
    return Picture(path, f"{title}: {'; '.join(parts)}.", caption)
