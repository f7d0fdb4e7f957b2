"""The roofline: what was reached of what a device can do."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dl_jax.report import units
from dl_jax.report.picture import Picture, Theme, save_picture
from dl_jax.report.plots.labels import Label, label_beside
from dl_jax.report.plots.ticks import log_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LINE = 0.2  # inches: of a label
_AROUND = 1.5  # inches: of the title, the axis and the legend
_MARKERS = "os^DvP*X"


class Dot(NamedTuple):
    """A measured program.

    Attributes:
        group: what it trains; named once, beside the best of its dots.
        kind: how; each kind has a marker of its own.
        intensity: FLOPs for each byte that it must move.
        rate: FLOP/s.
    """

    group: str
    kind: str
    intensity: float
    rate: float


def plot_roofline(
    dots: Sequence[Dot], products: Mapping[str, float], copy: float, path: Path, *, title: str
) -> Picture:
    """FLOP/s against FLOPs per byte, both logarithmic, below the roof that the device sets.

    Args:
        dots: the programs.
        products: FLOP/s of a large matrix product by precision.
        copy: bytes/s of a large copy.
        path: of the PNG.
        title: above the picture.

    Raises:
        ValueError: without a program or without a ceiling of products.

    Source: Williams, Waterman and Patterson 2009, "Roofline".
    """
    if not dots or not products:
        raise ValueError(
            f"roofline: expected at least one program and one ceiling, got {len(dots)} and "
            f"{len(products)}"
        )
    most = max(products.values())
    ridge = min(products.values()) / copy
    places = [*(dot.intensity for dot in dots), *(rate / copy for rate in products.values())]
    low, high = min(min(places) / 3, most / copy / 60), max(places) * 3
    bottom = min(min(dot.rate for dot in dots) / 2, copy * low)
    top = 2 * max(most, *(dot.rate for dot in dots))
    groups = {dot.group: max((d for d in dots if d.group == dot.group), key=lambda d: d.rate)
              for dot in dots}  # fmt: skip
    kinds = list(dict.fromkeys(dot.kind for dot in dots))
    height = max(2.6, _LINE * (len(groups) + len(products))) + _AROUND

    def draw(figure: "Figure", theme: Theme) -> None:
        axes = figure.subplots()
        axes.set(xscale="log", yscale="log", xlim=(low, high), ylim=(bottom, top), title=title)
        axes.set(xlabel="FLOPs per byte", ylabel="FLOP/s")
        for which in "xy":
            log_ticks(axes, which, units.short_count)
        axes.tick_params(which="both", length=0, pad=7)
        axes.grid(which="major")
        axes.set_axisbelow(True)
        axes.spines[:].set_visible(False)
        stroke = {"color": theme.ink, "linewidth": 1.6, "solid_capstyle": "round"}
        for rate in products.values():
            axes.plot((rate / copy, high), (rate, rate), **stroke)
        axes.plot((low, most / copy), (copy * low, most), **stroke)
        for dot in dots:
            colour = theme.blue if dot.intensity >= ridge else theme.red
            axes.plot(dot.intensity, dot.rate, _marker(kinds, dot), color=colour, markersize=8,
                      markeredgecolor=theme.surface, markeredgewidth=0.8, zorder=3)  # fmt: skip
        for kind in kinds:
            marker = _MARKERS[kinds.index(kind) % len(_MARKERS)]
            axes.plot([], [], marker, color=theme.muted, markersize=7, label=kind)
        labels = [
            Label(f"{name}, {units.count(rate, 'FLOP/s')}", high, rate, theme.ink)
            for name, rate in products.items()
        ]
        labels += [Label(name, d.intensity, d.rate, theme.ink) for name, d in groups.items()]
        label_beside(axes, labels, gap=_LINE / (height - _AROUND), line=theme.muted)
        figure.legend(loc="outside lower left", ncols=len(kinds), handletextpad=0.1,
                      columnspacing=1.2)  # fmt: skip
        figure.draw_without_rendering()  # settles the axes' place, and so the slope's angle
        _name_slope(axes, dots, copy, low, most / copy)

    save_picture(path, (5.8, height), draw)
    best = max(dots, key=lambda dot: dot.rate)
    alt = (
        f"{title}: {len(dots)} programs by FLOPs per byte and FLOP/s. The fastest is {best.group}, "
        f"{best.kind}, {units.count(best.rate, 'FLOP/s')}."
    )
    caption = (
        "The roof is what the device reached in a large matrix product (level) and in a large "
        "copy (slope). Blue programs stand under the level part, orange ones under the slope."
    )
    return Picture(path, alt, caption)


def _marker(kinds: Sequence[str], dot: Dot) -> str:
    return _MARKERS[kinds.index(dot.kind) % len(_MARKERS)]


def _name_slope(axes: "Axes", dots: Sequence[Dot], copy: float, low: float, ridge: float) -> None:
    """Write along the slope, where it is farthest from all dots."""
    places = [low * (ridge / low) ** share for share in (0.5, 0.55, 0.6, 0.45, 0.4)]

    def room(x: float) -> float:
        return min(
            abs(math.log(dot.intensity / x)) + abs(math.log(dot.rate / (copy * x))) for dot in dots
        )

    x = max(places, key=lambda place: min(room(place), 3.0))  # the middle will do if it is free
    (left, right) = axes.transData.transform([(x, copy * x), (2 * x, copy * 2 * x)])
    angle = math.degrees(math.atan2(right[1] - left[1], right[0] - left[0]))
    axes.annotate(
        f"copies, {units.count(copy, 'B/s')}", (x, copy * x), xytext=(-4, 4),
        textcoords="offset points", rotation=angle, rotation_mode="anchor", ha="center",
        va="bottom", fontsize=10,
    )  # fmt: skip
