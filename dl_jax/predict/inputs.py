"""From a file, or a text, to one example as a network takes it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Integer

from dl_jax import data
from dl_jax.models import Preprocessing

_ROW = 32  # ids, as `ops.bag_of_words` wants them


def read_image(
    path: Path, shape: tuple[int, ...], preprocessing: Preprocessing | None
) -> Float32[np.ndarray, "h w c"]:
    """Return an image file as the network takes it.

    With preprocessing the shorter side is brought to its length, the middle cut out, and
    `(x - mean) / std` taken; without, the whole image is brought to the network's size, in 0..1. A
    network of one channel sees it in greys. As the data sets of the lecture are, its figures are
    then expected bright on black.

    Args:
        path: of the file, in any format that Pillow reads.
        shape: `[height, width, channels]` of the network's inputs.
        preprocessing: as it came with the weights.

    Raises:
        ModuleNotFoundError: without Pillow.
        OSError: if there is no such file, or no image in it.
        ValueError: if the network takes neither grey nor coloured images.
    """
    try:
        from PIL import Image, UnidentifiedImageError
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "images are read by Pillow, which is not installed: pip install 'dl-jax[experiments]'"
        ) from error
    height, width, channels = shape
    if channels not in (1, 3):
        raise ValueError(f"expected a network of 1 or 3 channels, got {channels}")
    if not path.is_file():
        raise OSError(f"{'no file' if path.exists() else 'no such file'}; expected an image")
    try:
        image = Image.open(path).convert("L" if channels == 1 else "RGB")
    except UnidentifiedImageError as error:
        raise OSError("no image that Pillow can read") from error
    if preprocessing:
        scale = preprocessing.resize / min(image.size)
        size = [max(int(side * scale), preprocessing.resize) for side in image.size]
        left, top = round((size[0] - width) / 2), round((size[1] - height) / 2)
        image = image.resize((size[0], size[1]), Image.Resampling.BILINEAR)
        image = image.crop((left, top, left + width, top + height))
    else:
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    pixels = np.asarray(image, np.float32).reshape(height, width, channels) / 255
    if preprocessing:
        mean, std = (np.array(x, np.float32) for x in preprocessing[2:])
        pixels = (pixels - mean) / std
    return pixels


def read_text(text: str, vocabulary: Sequence[str]) -> Integer[np.ndarray, " length"]:
    """Return the distinct ids of a text's words, in whole rows as training has them.

    Raises:
        ValueError: if none of its words is in the vocabulary.
    """
    ids = data.distinct(data.encode([text], vocabulary))[0]
    known = [i for i in ids.tolist() if i >= len(data.SPECIAL)]
    if not known:
        raise ValueError(f"none of its words is among the {len(vocabulary):,} that were learned")
    return np.pad(ids, (0, -len(ids) % _ROW))
