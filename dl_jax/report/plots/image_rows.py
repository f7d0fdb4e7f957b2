"""Rows of small images: kernels, or the maps that a network makes of an image."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dl_jax.report.picture import Picture, Theme, save_picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLUMNS = 8


def plot_image_rows(
    rows: Mapping[str, np.ndarray], path: Path, *, signed: bool, alt: str, caption: str
) -> Picture:
    """Named groups of images, each group on a scale of its own.

    Args:
        rows: by name `[k, height, width]`, or `[k, height, width, 3]` in colour, from the group's
            least value to its largest.
        path: of the PNG.
        signed: whether 0 is the paper, negative values are orange and positive ones blue, instead
            of small values being paper and large ones ink.
        alt: what the picture shows.
        caption: what to look at.

    Raises:
        ValueError: for no images, or where a group has another shape.
    """
    if not rows:
        raise ValueError("rows: expected at least one group of images, got none")
    for name, images in rows.items():
        if images.ndim not in (3, 4) or not images.size or images.shape[3:] not in ((), (3,)):
            raise ValueError(
                f"rows[{name!r}]: expected shape [k, h, w] or [k, h, w, 3], got {images.shape}"
            )
    heights = [-(-len(images) // _COLUMNS) for images in rows.values()]

    def draw(figure: "Figure", theme: Theme) -> None:
        from matplotlib.colors import LinearSegmentedColormap

        both = LinearSegmentedColormap.from_list("both", [theme.red, theme.surface, theme.blue])
        parts = figure.subfigures(
            len(rows), 1, squeeze=False, height_ratios=[0.4 + h for h in heights]
        )
        groups = zip(parts.flat, rows.items(), heights, strict=True)
        for part, (name, images), height in groups:
            part.suptitle(name, x=0.01, ha="left", fontsize=11, fontweight="bold", color=theme.ink)
            furthest = float(np.abs(images).max()) or 1.0
            low, high = (-furthest, furthest) if signed else (images.min(), images.max())
            in_colour = (images - images.min()) / (float(np.ptp(images)) or 1.0)
            for i, axes in enumerate(part.subplots(height, _COLUMNS, squeeze=False).flat):
                axes.set_axis_off()
                if i < len(images):
                    axes.imshow(
                        in_colour[i] if images.ndim == 4 else images[i],
                        cmap=both if signed else theme.image_map, vmin=low, vmax=high,
                    )  # fmt: skip

    save_picture(path, (5.8, 0.72 * sum(heights) + 0.32 * len(rows)), draw)
    return Picture(path, alt, caption)
