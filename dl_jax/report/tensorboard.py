"""A run's history and pictures as TensorBoard reads them, without TensorFlow."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dl_jax.report.picture import Picture

if TYPE_CHECKING:
    from tensorboardX import SummaryWriter


class Board(NamedTuple):
    """The writers of the two curves that TensorBoard draws in one chart, by their folders.

    Attributes:
        train: of what is measured in training, and of the pictures.
        validation: of what is measured on the validation data.
    """

    train: "SummaryWriter"
    validation: "SummaryWriter"


def open_board(folder: Path) -> Board:
    """Begin TensorBoard's files in `train` and `validation` below a folder.

    Raises:
        ModuleNotFoundError: without tensorboardX.
    """
    from tensorboardX import SummaryWriter

    return Board(*(SummaryWriter(str(folder / name)) for name in Board._fields))


def add_row(board: Board, row: Mapping[str, float]) -> None:
    """Add a row of the history, at its `epoch`; what begins with `val_` is of the validation."""
    for name, value in row.items():
        if name != "epoch":
            writer = board.validation if name.startswith("val_") else board.train
            writer.add_scalar(name.removeprefix("val_"), value, int(row["epoch"]))
    for writer in board:  # for those who look on
        writer.flush()


def close_board(board: Board, pictures: Iterable[Picture]) -> None:
    """Add the pictures, those for light pages, and end the files."""
    from PIL import Image

    for picture in pictures:
        with Image.open(picture.path) as image:
            pixels = np.asarray(image.convert("RGB"))
        board.train.add_image(picture.path.stem, pixels, dataformats="HWC")
    for writer in board:
        writer.close()
