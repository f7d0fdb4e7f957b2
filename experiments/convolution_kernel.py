"""The lecture's convolution: a 5x5 image, a 3x3 kernel, and the map of their sums.

    python -m experiments.convolution_kernel
    python -m experiments.convolution_kernel --kernel 1 0 -1 2 0 -2 1 0 -1 --bias 1

Expected: the slide's "Convolved Feature" to the last digit, and the hand-derived gradients equal to
JAX's own; in about 3 seconds. Slides "Convolution Kernel", "Convolution Kernel and Bias".
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from dl_jax import backprop, report
from dl_jax.report import Grid, Window, number_text, rows_text
from experiments.options import Output, main
from experiments.record import Record
from experiments.recording import recording

IMAGE = np.array(
    [[1, 1, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 1, 1, 1], [0, 0, 1, 1, 0], [0, 1, 1, 0, 0]],
    np.float32,
)
CONVOLVED_FEATURE = np.array([[4, 3, 4], [2, 4, 3], [2, 3, 4]])


@dataclass(frozen=True)
class Config(Output):
    """A convolution of the slide's image."""

    kernel: tuple[float, ...] = (1, 0, 1, 0, 1, 0, 1, 0, 1)
    """Nine numbers, row by row."""
    bias: float = 0.0
    """Added to each sum."""


def run(config: Config) -> Record:
    """Convolve, compare with the slide and write the run folder.

    Raises:
        ValueError: unless the kernel has nine numbers, and these and the bias are from -100 to 100.
    """
    numbers = [*config.kernel, config.bias]
    if len(config.kernel) != 9 or not (np.abs(numbers) <= 100).all():
        raise ValueError(
            "kernel and bias: expected nine numbers, row by row, and one, each from -100 to 100, "
            f"got {len(config.kernel)}, {' '.join(map(str, config.kernel))}, and {config.bias}"
        )
    with recording(
        "convolution_kernel",
        config,
        "A kernel moves over an image",
        "At each of nine positions, the nine pixels under the kernel are multiplied by its numbers "
        "and added up. The nine sums are the feature map.",
    ) as record:
        kernel = np.array(config.kernel, np.float32).reshape(3, 3)
        x, w = jnp.asarray(IMAGE)[None, :, :, None], jnp.asarray(kernel)[:, :, None, None]
        b = jnp.full(1, config.bias, jnp.float32)
        z, residuals = backprop.conv_fwd(x, w, b)
        gradients = backprop.conv_bwd(residuals, jnp.ones_like(z))  # of E, the sum of the map
        turned, _ = backprop.conv_fwd(x, jnp.flip(w, (0, 1)), b)
        features, convolved = np.asarray(z)[0, :, :, 0], np.asarray(turned)[0, :, :, 0]

        automatic = jax.grad(lambda *inputs: backprop.conv_fwd(*inputs)[0].sum(), (0, 1, 2))
        differences = jax.tree.map(lambda a, b: jnp.abs(a - b).max(), gradients, automatic(x, w, b))
        for name, difference, bound, source in (
            ("feature map, difference from the slide",
             np.abs(features - CONVOLVED_FEATURE).max(), 0.0,
             "lecture, slide “Convolution Kernel”, Convolved Feature"),
            ("gradients, difference from jax.grad", max(differences), 1e-4, "jax.grad"),
        ):  # fmt: skip
            record.add_figure(
                name, float(difference), expected=0.0, bound=bound, direction="<=", source=source
            )
        record.add_figure(
            "change of the map if the kernel is turned by 180°",
            float(np.abs(features - convolved).max()),
            source="0 where convolution and cross-correlation are the same",
        )
        _draw_positions(record, kernel, config.bias, features)
        _draw_turned(record, features, convolved)
        _draw_gradients(record, *(np.asarray(gradient) for gradient in gradients))
    return record


def _draw_positions(record: Record, kernel: np.ndarray, bias: float, features: np.ndarray) -> None:
    """Add the pictures of the first position and of all nine."""
    factors = zip(IMAGE[:3, :3].flat, kernel.flat, strict=True)
    products = " + ".join(f"{number_text(x)}·{_signed(k)}" for x, k in factors)
    plus = [f"+ {_signed(bias)}"] if bias else []
    first = Grid(IMAGE, "Image", windows=[Window(0, 0, 3, 3, factors=kernel)])
    last = Grid(features, "Feature map", windows=[Window(0, 0)], tint="sign")
    row = [first, "∗", Grid(kernel, "Kernel", windows=[Window(0, 0, 3, 3)]), *plus, "=", last]
    record.pictures.append(
        report.plot_grids(
            [row],
            record.folder / "first.png",
            alt=f"A 5x5 image, a 3x3 kernel and the feature map, {rows_text(features)}.",
            caption=f"The first position: {' '.join([products, *plus])} = "
            f"{number_text(features[0, 0])}.",
        )
    )
    positions = [
        [
            Grid(IMAGE, f"= {number_text(features[i, j])}", windows=[Window(i, j, 3, 3)])
            for j in range(3)
        ]
        for i in range(3)
    ]
    record.pictures.append(
        report.plot_grids(
            positions,
            record.folder / "positions.png",
            alt=f"The nine positions of the kernel with their sums, {rows_text(features)}.",
            caption="The nine positions of the kernel, each where its sum is in the feature map; "
            f"the sums go from {number_text(features.min())} to {number_text(features.max())}.",
        )
    )


def _draw_turned(record: Record, features: np.ndarray, convolved: np.ndarray) -> None:
    """Add the picture of the map with the kernel as it is, and turned."""
    same = (features == convolved).all()
    record.pictures.append(
        report.plot_grids(
            [
                [
                    Grid(features, "Cross-correlation", tint="sign"),
                    Grid(convolved, "Convolution", tint="sign"),
                ]
            ],
            record.folder / "turned.png",
            alt=f"The map with the kernel as it is, {rows_text(features)}, and turned by 180°, "
            f"{rows_text(convolved)}.",
            caption="Left the kernel as it is, which deep learning calls a convolution; right the "
            "kernel turned by 180°, which mathematics calls one. "
            + ("This kernel looks the same when turned, and so do the maps: nothing of the "
               "difference is seen." if same else "Networks learn their kernels, so that "
               "it does not matter which of the two they compute."),
        )
    )  # fmt: skip


def _draw_gradients(record: Record, d_x: np.ndarray, d_w: np.ndarray, d_b: np.ndarray) -> None:
    """Add the picture of the gradients."""
    by_kernel, by_image = d_w[:, :, 0, 0], d_x[0, :, :, 0]
    record.pictures.append(
        report.plot_grids(
            [
                [
                    Grid(by_kernel, "∂E/∂kernel", tint="sign"),
                    Grid(by_image, "∂E/∂image", tint="sign"),
                ]
            ],
            record.folder / "gradients.png",
            alt=f"The gradient by the kernel, {rows_text(by_kernel)}, and by the image, "
            f"{rows_text(by_image)}.",
            caption="How E, the sum of the feature map, grows with each number. Of the kernel: by "
            "the sum of the pixels that it met. Of the image: by the sum of the kernel’s numbers "
            f"that met it; {number_text(by_image[2, 2])} for the pixel in the middle, which all "
            f"nine met. Of the bias: by {number_text(d_b[0])}, once a position.",
        )
    )


def _signed(value: float) -> str:
    """A number as a factor or a summand."""
    return number_text(value) if value >= 0 else f"({number_text(value)})"


if __name__ == "__main__":
    main("convolution_kernel", Config, run)
