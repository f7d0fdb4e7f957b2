"""`dl-jax summary`: the table in the console, and the page."""

import argparse
import shlex
import sys
from collections.abc import Sequence

import jax

from dl_jax.models import create, entry, summarize
from dl_jax.models.catalog import inputs_of
from dl_jax.models.summary import Row, forward_flops
from dl_jax.report.page_folder import page_folder
from dl_jax.report.table import format_table

HEADER = ("Layer (type)", "Kernel", "Stride", "Padding", "Output shape", "Parameters", "FLOPs",
          "Receptive field")  # fmt: skip
TRAINING = "runs in training alone; its FLOPs are not in the total"


def run(options: argparse.Namespace) -> int:
    """Print the table, and write the page where one is asked for.

    Returns:
        0.

    Raises:
        ValueError: for a model that there is not, or what it does not take; a page that is a file.
        OSError: where the page cannot be written.
    """
    inputs = inputs_of(options.model, options.image_size)
    rows = _rows(options, inputs)
    folder = page_folder(options.page, options.model)
    title = f"one example of {inputs.dtype.name} ({listed(inputs.shape)})"
    total = ("Total", "", "", "", "", *totals(rows), "")
    print(f"{options.model}: {title}\n")
    print(format_table(HEADER, list(map(cells, rows)), numbers=(1, 2, 3, 5, 6, 7), footer=total))
    if any(row.only_training for row in rows):
        print(f"\n* {TRAINING}")
    if folder:
        from dl_jax.summary.page import write_summary_page

        path = write_summary_page(folder, options.model, inputs.shape, title, rows, _words(options))
        print(f"Page: {path}", file=sys.stderr)
    return 0


def _rows(options: argparse.Namespace, inputs: jax.ShapeDtypeStruct) -> list[Row]:
    fields = {}
    if options.num_classes is not None:
        if "num_classes" not in entry(options.model).make().__dataclass_fields__:
            raise ValueError(
                f"--num-classes: the outputs of {options.model} are not a field of their own; "
                "leave it out"
            )
        if options.num_classes < 1:
            raise ValueError(f"--num-classes: expected at least 1, got {options.num_classes}")
        fields = {"num_classes": options.num_classes}
    try:
        return summarize(create(options.model, **fields), inputs.shape, inputs.dtype)
    except (ValueError, TypeError, ZeroDivisionError) as error:
        if options.image_size is None:
            raise
        # What JAX says of windows larger than the map does not say whose they are.
        said = str(error).split("\n", 1)[0]
        raise ValueError(
            f"--image-size {options.image_size}: {options.model} does not take images of that "
            f"size ({said}); its own is {entry(options.model).inputs.shape[0]}"
        ) from error


def _words(options: argparse.Namespace) -> str:
    words = ["dl-jax", "summary", options.model]
    for name in ("image_size", "num_classes"):
        if getattr(options, name) is not None:
            words += [f"--{name.replace('_', '-')}", str(getattr(options, name))]
    return shlex.join(words)


def cells(row: Row) -> tuple[str, ...]:
    """Return a row's cells under `HEADER`."""
    return (
        f"{row.layer} *" if row.only_training else row.layer,
        *window_cells(row),
        f"({listed(row.output_shape)})",
        f"{row.num_params:,}",
        f"{row.flops:,}",
        "" if row.receptive_field is None else f"{row.receptive_field:,}",
    )


def window_cells(row: Row) -> tuple[str, str, str]:
    """Return kernel, stride and padding: one number where all sides have the same.

    Different paddings before and behind are `1+2`.
    """
    if row.kernel is None or row.stride is None or row.padding is None:
        return ("", "", "")
    pads = [f"{a}" if a == b else f"{a}+{b}" for a, b in row.padding]
    return "x".join(map(str, row.kernel)), _short(list(map(str, row.stride))), _short(pads)


def _short(numbers: list[str]) -> str:
    return numbers[0] if len(set(numbers)) == 1 else "x".join(numbers)


def totals(rows: list[Row]) -> tuple[str, str]:
    """Return the number of all parameters, and of the operations of a forward pass."""
    return f"{sum(row.num_params for row in rows):,}", f"{forward_flops(rows):,}"


def listed(shape: Sequence[int]) -> str:
    """Return `28, 28, 1`."""
    return ", ".join(map(str, shape))
