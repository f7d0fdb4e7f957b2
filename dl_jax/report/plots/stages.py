"""What happens before the first step: stacked bars of the stages."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dl_jax.report import units
from dl_jax.report.picture import Picture, Theme, save_picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STAGES = ("trace", "lower", "compile", "first run")
_BAR = 0.3  # inches: from one bar to the next


class Bar(NamedTuple):
    """A program and the seconds of each of `STAGES`; 0 for one that it does not have."""

    label: str
    seconds: tuple[float, float, float, float]


def plot_stages(panels: Mapping[str, Sequence[Bar]], path: Path, *, title: str) -> Picture:
    """Seconds of tracing, lowering, compiling and of the first run, one bar a program.

    Args:
        panels: the programs by what they are of; each panel has a scale of its own, for the
            first run of a large one would flatten the others.
        path: of the PNG.
        title: above the picture.

    Raises:
        ValueError: without a program.
    """
    bars = [bar for panel in panels.values() for bar in panel]
    if not bars:
        raise ValueError("stages: expected at least one program, got none")
    height = _BAR * len(bars) + 0.62 * len(panels) + 0.9

    def draw(figure: "Figure", theme: Theme) -> None:
        from matplotlib.ticker import MaxNLocator

        colours = (theme.muted, theme.line, theme.blue, theme.red)
        grid = {"height_ratios": [len(panel) + 1.2 for panel in panels.values()]}
        rows = figure.subplots(len(panels), 1, squeeze=False, gridspec_kw=grid)[:, 0]
        for axes, (name, panel) in zip(rows, panels.items(), strict=True):
            places, left = list(range(len(panel))), [0.0] * len(panel)
            for k, stage in enumerate(STAGES):
                widths = [bar.seconds[k] for bar in panel]
                axes.barh(places, widths, 0.66, left=left, color=colours[k], label=stage)
                left = [a + b for a, b in zip(left, widths, strict=True)]
            for place, total in zip(places, left, strict=True):
                axes.text(total, place, f" {units.seconds(total)}", va="center_baseline",
                          fontsize=10)  # fmt: skip
            axes.set_title(name)
            axes.set_yticks(places, [bar.label for bar in panel])
            axes.set_ylim(len(panel) - 0.4, -0.6)
            axes.set_xlim(0, 1.16 * max(left) or 1)
            axes.xaxis.set_major_locator(MaxNLocator(nbins=5))
            axes.grid(axis="x")
            axes.set_axisbelow(True)
            axes.tick_params(length=0)
            axes.tick_params(axis="y", labelcolor=theme.ink)
            axes.spines[:].set_visible(False)
        rows[-1].set_xlabel("Seconds")
        figure.suptitle(title, x=0.012, ha="left", fontsize=12, fontweight="bold")
        handles, names = rows[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower left", ncols=len(STAGES),
                      handletextpad=0.5, columnspacing=1.6, handlelength=1)  # fmt: skip

    save_picture(path, (5.8, height), draw)
    longest = max(bars, key=lambda bar: sum(bar.seconds))
    alt = (
        f"{title}: {len(bars)} programs. The longest is {longest.label}, "
        f"{units.seconds(sum(longest.seconds))}, of which compiling takes "
        f"{units.seconds(longest.seconds[2])}."
    )
    return Picture(path, alt, "The first run of an epoch or of a run is a whole one.")
