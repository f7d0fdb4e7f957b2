"""A picture is drawn twice, for light and for dark pages, and carries its own words."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DOTS_PER_INCH = 220  # the page shows a picture at half its pixels, sharp on dense screens


class Picture(NamedTuple):
    """A picture on disk.

    Attributes:
        path: the PNG for light pages.
        alt: what it shows, for those who do not see it.
        caption: what to look at.
    """

    path: Path
    alt: str
    caption: str

    @property
    def dark_path(self) -> Path:
        """The PNG for dark pages, `NAME-dark.png` beside it."""
        return self.path.with_stem(self.path.stem + "-dark")


@dataclass(frozen=True)
class Theme:
    """The colours of a picture. Blue and vermilion are told apart by every kind of sight."""

    surface: str  # equals --surface of page.css
    ink: str
    muted: str
    line: str
    blue: str
    red: str
    image_map: str  # ink on paper, or chalk on a board


LIGHT = Theme("#ffffff", "#1a1d21", "#5d6570", "#dfe3e8", "#0069ad", "#b54600", "gray_r")
DARK = Theme("#14171b", "#e8eaed", "#a0a8b3", "#333942", "#5db5f0", "#f59358", "gray")

# The first that is installed; matplotlib brings the last one along.
_FONTS = ("Inter", "Source Sans 3", "Helvetica Neue", "Arial", "Liberation Sans", "DejaVu Sans")


def save_picture(
    path: Path, size: tuple[float, float], draw: "Callable[[Figure, Theme], None]"
) -> None:
    """Draws a picture in both themes: `path`, and the dark one beside it.

    Matplotlib's global state (its parameters, pyplot's list of figures) stays as it was.

    Args:
        path: of the light PNG.
        size: width and height in inches.
        draw: puts the content on an empty figure, in the theme's colours.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    picture = Picture(path, "", "")
    for theme, target in ((LIGHT, picture.path), (DARK, picture.dark_path)):
        with matplotlib.rc_context(_parameters(theme)):
            figure = Figure(figsize=size, dpi=DOTS_PER_INCH, layout="constrained")
            FigureCanvasAgg(figure)
            draw(figure, theme)
            figure.savefig(target, format="png")


def _parameters(theme: Theme) -> dict[Any, Any]:
    """Matplotlib's parameters for a theme: no box, thin lines, left titles."""
    from matplotlib.font_manager import fontManager

    installed = set(fontManager.get_font_names())
    return {
        "axes.edgecolor": theme.line,
        "axes.facecolor": theme.surface,
        "axes.grid": False,
        "axes.labelcolor": theme.muted,
        "axes.labelpad": 6,
        "axes.labelsize": 11,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlecolor": theme.ink,
        "axes.titlelocation": "left",
        "axes.titlepad": 10,
        "axes.titlesize": 11,
        "axes.titleweight": "bold",
        "axes.unicode_minus": True,
        "figure.facecolor": theme.surface,
        "figure.constrained_layout.h_pad": 0.08,
        "figure.constrained_layout.w_pad": 0.08,
        "font.family": [font for font in _FONTS if font in installed],
        "font.size": 11,
        "grid.color": theme.line,
        "grid.linewidth": 0.8,
        "legend.fontsize": 11,
        "legend.frameon": False,
        "legend.labelcolor": theme.ink,
        "savefig.facecolor": theme.surface,
        "text.color": theme.ink,
        "text.parse_math": False,  # a class may be called '$'
        "text.usetex": False,
        "xtick.color": theme.line,
        "xtick.labelcolor": theme.muted,
        "xtick.labelsize": 11,
        "ytick.color": theme.line,
        "ytick.labelcolor": theme.muted,
        "ytick.labelsize": 11,
    }
