"""The lecture's pooling: the largest, or the mean, of each 3x3 window of a 5x5 image.

    python -m experiments.pooling
    python -m experiments.pooling --window 2 --stride 2

Expected: the slide's map to the last digit, and the hand-derived gradients equal to JAX's own; in
about 4 seconds. Slide "Pooling".
"""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from dl_jax import backprop, ops, report
from dl_jax.report import Grid, Window, number_text, rows_text
from experiments.options import Output, main
from experiments.record import Record
from experiments.recording import recording

IMAGE = np.array(
    [[3, 3, 2, 1, 0], [0, 0, 1, 3, 1], [3, 1, 2, 2, 3], [2, 0, 0, 2, 2], [2, 0, 0, 0, 1]],
    np.float32,
)
MAXIMA = np.array([[3, 3, 3], [3, 3, 3], [3, 2, 3]])


@dataclass(frozen=True)
class Config(Output):
    """Max and average pooling of the slide's image."""

    window: int = 3
    """The side of the window."""
    stride: int = 1
    """The distance between windows."""


def run(config: Config) -> Record:
    """Pool both ways, compare with the slide and write the run folder.

    Raises:
        ValueError: unless window and stride are from 1 to 5.
    """
    for name in ("window", "stride"):
        if not 1 <= getattr(config, name) <= len(IMAGE):
            raise ValueError(
                f"{name}: expected from 1 to {len(IMAGE)}, the side of the image, "
                f"got {getattr(config, name)}"
            )
    with recording(
        "pooling",
        config,
        "Max pooling and average pooling",
        "A window moves over an image. Max pooling keeps the largest of the numbers in it, average "
        "pooling their mean; the gradient goes back to that largest number, or to all of them.",
    ) as record:
        x = jnp.asarray(IMAGE)[None, :, :, None]
        window, strides = (config.window, config.window), (config.stride, config.stride)
        largest, max_way = backprop.max_pool_fwd(x, window=window, strides=strides)
        mean, avg_way = backprop.avg_pool_fwd(x, window=window, strides=strides)
        ones = jnp.ones_like(largest)
        (d_max,) = backprop.max_pool_bwd(max_way, ones, window=window, strides=strides)
        (d_avg,) = backprop.avg_pool_bwd(avg_way, ones, window=window, strides=strides)
        # Which pixel each window's gradient goes to: the derivation itself tells.
        one = partial(backprop.max_pool_bwd, max_way, window=window, strides=strides)
        (places,) = jax.vmap(one)(jnp.eye(ones.size).reshape(-1, *ones.shape))

        maxima, means = np.asarray(largest)[0, :, :, 0], np.asarray(mean)[0, :, :, 0]
        if maxima.shape == MAXIMA.shape:
            record.add_figure(
                "max pooling, difference from the slide",
                float(np.abs(maxima - MAXIMA).max()),
                expected=0.0, bound=0.0, direction="<=", source="lecture, slide “Pooling”",
            )  # fmt: skip
        for name, d_x, pool in (
            ("max pooling", d_max, ops.max_pool),
            ("average pooling", d_avg, ops.avg_pool),
        ):
            autodiff = jax.grad(lambda x, pool=pool: pool(x, window, strides).sum())(x)
            record.add_figure(
                f"gradient of {name}, difference from jax.grad",
                float(jnp.abs(d_x - autodiff).max()),
                expected=0.0, bound=1e-6, direction="<=", source="jax.grad",
            )  # fmt: skip
        _draw_maps(record, config, maxima, means)
        _draw_windows(record, config, maxima, np.asarray(places).reshape(-1, *IMAGE.shape))
        _draw_gradients(record, *(np.asarray(d)[0, :, :, 0] for d in (d_max, d_avg)))
    return record


def _draw_maps(record: Record, config: Config, maxima: np.ndarray, means: np.ndarray) -> None:
    """Add the picture of the image and both maps."""
    first = Window(0, 0, config.window, config.window)
    one = number_text(maxima[0, 0]), number_text(means[0, 0])
    record.pictures.append(
        report.plot_grids(
            [
                [
                    Grid(IMAGE, "Image", windows=[first]),
                    "→",
                    Grid(maxima, "Max", windows=[Window(0, 0)], tint="sign"),
                    Grid(means, "Average", windows=[Window(0, 0)], tint="sign"),
                ]
            ],
            record.folder / "maps.png",
            alt=f"The image, {rows_text(IMAGE)}; after max pooling, {rows_text(maxima)}; after "
            f"average pooling, {rows_text(means)}.",
            caption=f"The first window’s largest number is {one[0]}, its mean is {one[1]}.",
        )
    )


def _draw_windows(record: Record, config: Config, maxima: np.ndarray, places: np.ndarray) -> None:
    """Add the picture of all windows, with the pixel that each takes."""
    rows, columns = maxima.shape
    grids = [[Grid(IMAGE, f"max {number_text(maxima[i, j])}", windows=[
                Window(i * config.stride, j * config.stride, config.window, config.window),
                Window(*np.argwhere(places[i * columns + j])[0], colour="red")])
              for j in range(columns)] for i in range(rows)]  # fmt: skip
    times = places.sum(0)
    often = np.unravel_index(times.argmax(), times.shape)
    record.pictures.append(
        report.plot_grids(
            grids,
            record.folder / "windows.png",
            alt=f"The {rows * columns} windows with their largest numbers, {rows_text(maxima)}.",
            caption="Each window where its number is in the map. The orange frame is the largest "
            "number; of several that are equal, the first one in reading order. The "
            f"{number_text(IMAGE[often])} in row {often[0] + 1}, column {often[1] + 1} is the "
            f"largest of {number_text(times[often])} of the {rows * columns} windows.",
            largest_cell=0.33,
        )
    )


def _draw_gradients(record: Record, d_max: np.ndarray, d_avg: np.ndarray) -> None:
    """Add the picture of the gradients."""
    record.pictures.append(
        report.plot_grids(
            [
                [
                    Grid(d_max, "∂E/∂x, max pooling", tint="sign"),
                    Grid(d_avg, "∂E/∂x, average pooling", tint="sign"),
                ]
            ],
            record.folder / "gradients.png",
            alt=f"The gradient of max pooling, {rows_text(d_max)}, and of average pooling, "
            f"{rows_text(d_avg)}.",
            caption="How E, the sum of the map, grows with each pixel. Max pooling sends the "
            f"gradient of each window to one pixel: {int((d_max != 0).sum())} of {d_max.size} get "
            f"any. Average pooling shares it out among all pixels of the window: "
            f"{int((d_avg != 0).sum())} get some. Both add up to "
            f"{number_text(d_max.sum())}, one a window.",
        )
    )


if __name__ == "__main__":
    main("pooling", Config, run)
