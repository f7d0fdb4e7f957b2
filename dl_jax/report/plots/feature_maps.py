"""The stack of feature maps: a slab a map, from the image at the top to the classes."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from dl_jax.report.picture import Picture, Theme, save_picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Kind = Literal["input", "convolution", "pooling", "module", "dense"]

_WIDTH = 5.8  # inches: of the picture
_SIDE, _THICKNESS = 2.2, 0.55  # inches: of the widest map, and of the one with most channels
_LEAST = 0.03  # inches: what can still be seen
_SLANT, _RISE = 0.3, 0.22  # how far a map's far edge lies to the right and above, of its depth
_LINE, _GAP = 0.21, 0.1  # inches: the least height of a row, and between two
_MIDDLE = 2.35  # inches from the left: where the maps stand in line


class Map(NamedTuple):
    """What a layer puts out.

    Attributes:
        name: of the layer.
        kind: its type, which is its colour.
        height: of the map; 1 for a vector.
        width: of the map.
        channels: how many there are; of a vector, its size.
    """

    name: str
    kind: Kind
    height: int
    width: int
    channels: int

    @property
    def size(self) -> str:
        """`55×55×96`, or the size of a vector alone."""
        if self.height == self.width == 1 and self.kind in ("input", "dense"):
            return f"{self.channels}"
        return f"{self.height}×{self.width}×{self.channels}"


class _Slab(NamedTuple):
    """A map's width, depth and thickness in inches, and the height of its row."""

    width: float
    depth: float
    thickness: float
    row: float


def plot_feature_maps(maps: Sequence[Map], path: Path, *, title: str) -> Picture:
    """Each map as a slab in perspective: as wide as its side, as thick as it has channels.

    Both scales are square roots, for sides and channels differ by a factor of a hundred.

    Args:
        maps: from the input on.
        path: of the PNG.
        title: above the picture.

    Raises:
        ValueError: without a map.
    """
    if not maps:
        raise ValueError("feature maps: expected at least one map, got none")
    widest = max(max(one.height, one.width) for one in maps)
    thickest = max(one.channels for one in maps)
    slabs = [_slab(one, widest, thickest) for one in maps]
    tall = sum(slab.row + _GAP for slab in slabs)
    kinds: list[Kind] = list(dict.fromkeys(one.kind for one in maps))

    def draw(figure: "Figure", theme: Theme) -> None:
        axes = figure.subplots()
        axes.set(xlim=(0, _WIDTH - 0.3), ylim=(tall, 0), aspect="equal")
        axes.set_axis_off()
        figure.suptitle(title, x=0.012, ha="left", fontsize=12, fontweight="bold")
        top = 0.0
        for one, slab in zip(maps, slabs, strict=True):
            middle = top + slab.row / 2
            _draw_slab(axes, slab, middle, _colour(one.kind, theme), theme, one.kind == "module")
            axes.text(0, middle, one.name, va="center_baseline", fontsize=10, color=theme.ink)
            axes.text(4.25, middle, one.size, va="center_baseline", fontsize=10, color=theme.ink)
            top += slab.row + _GAP
        for kind in kinds:
            axes.plot([], [], "s", markersize=8, color=_colour(kind, theme), label=kind,
                      fillstyle="top" if kind == "module" else "full",
                      markerfacecoloralt=theme.surface)  # fmt: skip
        figure.legend(loc="outside lower left", ncols=len(kinds), handletextpad=0.2,
                      columnspacing=1.2, fontsize=10)  # fmt: skip

    save_picture(path, (_WIDTH, tall + 0.95), draw)
    alt = (
        f"{title}: {len(maps)} maps as slabs below each other, from {maps[0].size} to "
        f"{maps[-1].size}. " + ", ".join(f"{one.name} {one.size}" for one in maps) + "."
    )
    caption = (
        "As wide as a map’s side and as thick as it has channels, both on a scale of square "
        "roots. Layers that leave the size as it is are not drawn."
    )
    return Picture(path, alt, caption)


def _slab(one: Map, widest: int, thickest: int) -> _Slab:
    width, depth = (max(_LEAST, _SIDE * (side / widest) ** 0.5) for side in (one.width, one.height))
    thickness = max(_LEAST, _THICKNESS * (one.channels / thickest) ** 0.5)
    return _Slab(width, depth, thickness, max(_LINE, thickness + _RISE * depth))


def _colour(kind: Kind, theme: Theme) -> str:
    colours = {"input": theme.ink, "pooling": theme.red, "dense": theme.muted}
    return colours.get(kind, theme.blue)  # a module is made of convolutions


def _draw_slab(
    axes: "Axes", slab: _Slab, middle: float, colour: str, theme: Theme, layered: bool
) -> None:
    """Top, front and right face; a module's sides show its layers."""
    from matplotlib.colors import to_rgb
    from matplotlib.patches import Polygon

    right, rise = _SLANT * slab.depth, _RISE * slab.depth
    x = _MIDDLE - (slab.width + right) / 2
    y = middle + (slab.thickness + rise) / 2  # the front's lower edge; the axis points down
    front = y - slab.thickness
    faces = (
        ([(x, y), (x + slab.width, y), (x + slab.width, front), (x, front)], 0.75),
        ([(x, front), (x + slab.width, front), (x + slab.width + right, front - rise),
          (x + right, front - rise)], 0.4),
        ([(x + slab.width, y), (x + slab.width + right, y - rise),
          (x + slab.width + right, front - rise), (x + slab.width, front)], 1.0),
    )  # fmt: skip
    over = to_rgb(theme.surface)
    for corners, share in faces:
        mixed = [share * a + (1 - share) * b for a, b in zip(to_rgb(colour), over, strict=True)]
        axes.add_patch(Polygon(corners, facecolor=mixed, edgecolor=theme.surface, linewidth=0.6))
    for part in (1 / 3, 2 / 3) if layered else ():
        level = y - part * slab.thickness
        axes.plot((x, x + slab.width, x + slab.width + right), (level, level, level - rise),
                  color=theme.surface, linewidth=0.8)  # fmt: skip
