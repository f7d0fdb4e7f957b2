"""The lecture's padding and stride: where the kernel goes, and how large the output is.

    python -m experiments.stride_and_padding
    python -m experiments.stride_and_padding --padding 1 1 --strides 1 2 3

Expected: every output is as large as the lecture's formula says, 55 and 27 pixels a side for
AlexNet's first two layers; in about 4 seconds. Slides "Stride & Padding", "Output Size in
Convolutional Layer", "Output Size in Pooling".
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from dl_jax import ops, report
from dl_jax.report import Grid, Window, number_text
from experiments.convolution_kernel import IMAGE
from experiments.options import Output, main
from experiments.record import Record
from experiments.recording import recording

LAYOUT = ("NHWC", "HWIO", "NHWC")


@dataclass(frozen=True)
class Config(Output):
    """Padding and stride on the 5x5 image of the convolution."""

    kernel_size: int = 3
    padding: tuple[int, int] = (0, 1)
    """Zeros before and after the image, in both directions; the slide makes 6x6 of 5x5."""
    strides: tuple[int, ...] = (1, 2)
    """A picture for each."""


def run(config: Config) -> Record:
    """Pad, count the positions, compare with the formula and write the run folder.

    Raises:
        ValueError: for a padding not from 0 to 2, a kernel that is larger than the padded image, or
            strides that are none, more than four, or longer than the padded image.
    """
    if not all(0 <= zeros <= 2 for zeros in config.padding):
        raise ValueError(f"padding: expected numbers from 0 to 2, got {config.padding}")
    side = len(IMAGE) + sum(config.padding)
    if not 1 <= config.kernel_size <= side:
        raise ValueError(
            f"kernel_size: expected from 1 to {side}, the side of the padded image, "
            f"got {config.kernel_size}"
        )
    if not 1 <= len(config.strides) <= 4 or not all(1 <= s <= side for s in config.strides):
        raise ValueError(
            f"strides: expected one to four numbers, from 1 to {side}, the side of the padded "
            f"image, got {config.strides}"
        )
    with recording(
        "stride_and_padding",
        config,
        "Padding and stride",
        "Padding puts zeros around an image; the stride is how far the kernel moves at each step. "
        "Together with the size of the kernel they say how large the feature map is.",
    ) as record:
        padded = np.pad(IMAGE, config.padding)
        record.add_figure(
            "padded side, difference from 6",
            float(abs(len(padded) - 6)),
            expected=0.0, bound=0.0, direction="<=", source="lecture, slide “Stride & Padding”",
        )  # fmt: skip
        _add_sides(record, config)
        _add_alexnet(record)
        _draw_padding(record, padded, config.padding)
        for stride in config.strides:
            _draw_stride(record, padded, config, stride)
    return record


def conv_side(size: int, kernel_size: int, stride: int, padding: tuple[int, int]) -> int:
    """Return the side of the output that the convolution really makes of an image."""
    x, w = jnp.zeros((1, size, size, 1)), jnp.zeros((kernel_size, kernel_size, 1, 1))
    strides, pads = (stride, stride), (padding, padding)

    def convolve(x: jax.Array, w: jax.Array) -> jax.Array:
        return ops.conv_general_dilated(x, w, strides, pads, dimension_numbers=LAYOUT)

    return jax.eval_shape(convolve, x, w).shape[1]


def _add_sides(record: Record, config: Config) -> None:
    """Add the table of paddings and strides, and how far the formula is from the shapes."""
    rows, differences, size = [], [], config.kernel_size
    for padding in sorted({(0, 0), (0, 1), (1, 1), config.padding}):
        side = len(IMAGE) + sum(padding)
        for stride in config.strides if side >= size else ():
            made = conv_side(len(IMAGE), size, stride, padding)
            expected = ops.conv_output_size(side, size, stride=stride, rounding="floor")
            differences.append(abs(made - expected))
            zeros = f"{padding[0]} before, {padding[1]} after"
            quotient = _formula(side, size, stride)
            rows.append((zeros, f"{side} × {side}", stride, quotient, f"{made} × {made}"))
    columns = ("Padding", "Padded image", "Stride", "(I − K + 2P) / S + 1", "Output")
    caption = f"A 5 × 5 image and a {size} × {size} kernel; 2P is the sum of both paddings"
    record.add_table(caption, columns, rows)
    record.add_figure(
        "output sides, difference from the formula",
        float(max(differences)),
        expected=0.0, bound=0.0, direction="<=",
        source="lecture, slide “Output Size in Convolutional Layer”",
    )  # fmt: skip


def _add_alexnet(record: Record) -> None:
    """Add AlexNet's first convolution and pooling, and a size that its stride does not divide."""
    pooled = jax.eval_shape(lambda x: ops.max_pool(x, (3, 3), (2, 2)), jnp.zeros((1, 55, 55, 1)))
    layers = {
        "Convolution": (227, 11, 4, conv_side(227, 11, 4, (0, 0)),
                        ops.conv_output_size(227, 11, stride=4)),
        "Max pooling": (55, 3, 2, pooled.shape[1], ops.pool_output_size(55, 3, stride=2)),
        "Convolution of 224 pixels": (224, 11, 4, conv_side(224, 11, 4, (0, 0)),
                                      ops.conv_output_size(224, 11, stride=4, rounding="floor")),
    }  # fmt: skip
    rows = [
        (name, size, window, stride, _formula(size, window, stride), formula, made)
        for name, (size, window, stride, made, formula) in layers.items()
    ]
    columns = ("Layer", "I", "K", "S", "(I − K + 2P) / S + 1", "Rounded down", "Made by JAX")
    caption = "AlexNet’s first layers, P = 0; of 224 pixels, as in its paper, a part is left over"
    record.add_table(caption, columns, rows)
    for layer, side, slide in (
        ("Convolution", 55, "Output Size in Convolutional Layer"),
        ("Max pooling", 27, "Output Size in Pooling"),
    ):
        *_, made, formula = layers[layer]
        record.add_figure(
            f"AlexNet, {layer.lower()}, difference from {side}",
            float(max(abs(made - side), abs(formula - side))),
            expected=0.0, bound=0.0, direction="<=", source=f"lecture, slide “{slide}”",
        )  # fmt: skip


def _draw_padding(record: Record, padded: np.ndarray, padding: tuple[int, int]) -> None:
    """Add the picture of the image before and after padding."""
    zeros, side = _is_padding(padding), len(padded)
    record.pictures.append(
        report.plot_grids(
            [
                [
                    Grid(IMAGE, "Image", tint="none"),
                    "→",
                    Grid(padded, "Padded image", tint="none", padding=zeros),
                ]
            ],
            record.folder / "padding.png",
            alt=f"The 5x5 image, and the {side}x{side} image that padding makes of it.",
            caption=f"Zeros, {padding[0]} before and {padding[1]} after the image in both "
            f"directions: {zeros.sum()} more pixels make {side}x{side} of 5x5.",
        )
    )


def _draw_stride(record: Record, padded: np.ndarray, config: Config, stride: int) -> None:
    """Add the picture of the kernel's positions, each where its sum is in the output."""
    size, side = config.kernel_size, len(padded)
    output = ops.conv_output_size(side, size, stride=stride, rounding="floor")
    seen = np.zeros((side, side), bool)
    windows = [[Window(i * stride, j * stride, size, size) for j in range(output)]
               for i in range(output)]  # fmt: skip
    for window in (window for row in windows for window in row):
        seen[window.row : window.row + size, window.column : window.column + size] = True
    zeros, left_out = _is_padding(config.padding), int((~seen).sum())
    grids = [
        [
            Grid(padded, "", "", [w], "none", padding=zeros, left_out=~seen, numbers=output <= 3)
            for w in row
        ]
        for row in windows
    ]
    formula = f"({side} − {size}) / {stride} + 1 = {_formula(side, size, stride)}"
    caption = f"Stride {stride}: {formula} positions a side"
    if (side - size) % stride:
        caption += (
            f". The stride does not divide, and only {output}x{output} positions are left; "
            f"no window reaches the {left_out} hatched pixels."
        )
    elif left_out:
        caption += f". The stride jumps over the {left_out} hatched pixels."
    else:
        caption += f", and an output of {output}x{output}. Every pixel is seen."
    record.pictures.append(
        report.plot_grids(
            grids,
            record.folder / f"stride-{stride}.png",
            alt=f"The {output**2} positions of a {size}x{size} window on the padded image, at "
            f"stride {stride}, arranged as their sums are in the output.",
            caption=caption,
            largest_cell=0.33,
        )
    )


def _formula(size: int, window: int, stride: int) -> int | str:
    """`(I - K) / S + 1` of an image that is padded already: a whole number, or as a text."""
    rest = (size - window) % stride
    return number_text((size - window) / stride + 1) if rest else (size - window) // stride + 1


def _is_padding(padding: tuple[int, int]) -> np.ndarray:
    return np.pad(np.zeros(IMAGE.shape, bool), padding, constant_values=True)


if __name__ == "__main__":
    main("stride_and_padding", Config, run)
