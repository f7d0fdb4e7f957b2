"""The batched PNG decoder against filters written out here and against Pillow."""

import io
import zlib

import numpy as np
import pytest
from PIL import Image

from dl_jax.data.png import decode_images

from .samples import png


def filtered(image: np.ndarray, kind: int) -> bytes:
    """A PNG whose every row has the filter `kind`, straight from the specification."""
    height, width, channels = image.shape
    pixels = image.astype(int)

    def at(y: int, x: int, c: int) -> int:
        return int(pixels[y, x, c]) if y >= 0 and x >= 0 else 0

    def paeth(a: int, b: int, c: int) -> int:
        return min((abs(b - c), 0, a), (abs(a - c), 1, b), (abs(a + b - 2 * c), 2, c))[2]

    rows = b""
    for y in range(height):
        rows += bytes([kind])
        for x in range(width):
            for c in range(channels):
                left, up, corner = at(y, x - 1, c), at(y - 1, x, c), at(y - 1, x - 1, c)
                guess = [0, left, up, (left + up) // 2, paeth(left, up, corner)][kind]
                rows += bytes([(at(y, x, c) - guess) % 256])

    def chunk(name: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4)

    size = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    colour = {1: 0, 3: 2}[channels]
    data = zlib.compress(rows)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", size + bytes([8, colour, 0, 0, 0]))
        + chunk(b"IDAT", data[:9])  # a stream may be cut into several chunks
        + chunk(b"IDAT", data[9:])
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", range(5))
def test_each_filter(kind: int, channels: int) -> None:
    random = np.random.default_rng(kind)
    # Few different values, so that the predictor's ties occur; 255 makes sums overflow.
    image = random.choice(np.array([0, 1, 2, 3, 254, 255], np.uint8), (12, 9, channels))
    encoded = filtered(image, kind)
    with Image.open(io.BytesIO(encoded)) as opened:  # the file made here is a valid one
        np.testing.assert_array_equal(np.asarray(opened).reshape(image.shape), image)
    np.testing.assert_array_equal(decode_images([encoded], image.shape)[0], image)


def test_images_with_different_filters_in_one_batch() -> None:
    images = np.random.default_rng(0).integers(0, 256, (10, 6, 7, 1), np.uint8)
    files = [filtered(image, i % 5) for i, image in enumerate(images)]
    np.testing.assert_array_equal(decode_images(files, (6, 7, 1)), images)


def test_other_formats_go_through_pillow() -> None:
    grey = np.full((4, 4, 1), 200, np.uint8)
    palette, jpeg = io.BytesIO(), io.BytesIO()
    Image.fromarray(grey[..., 0]).convert("P").save(palette, "PNG")
    Image.fromarray(grey[..., 0]).save(jpeg, "JPEG")
    decoded = decode_images([palette.getvalue(), png(grey), jpeg.getvalue()], (4, 4, 1))
    np.testing.assert_array_equal(decoded, [grey] * 3)


def test_a_wrong_size_is_named() -> None:
    with pytest.raises(ValueError, match=r"expected an image of shape \(4, 4, 1\), found \(2, 3\)"):
        decode_images([png(np.zeros((2, 3), np.uint8))], (4, 4, 1))


def test_a_cut_off_image_and_no_image() -> None:
    with pytest.raises(ValueError, match="cut off"):
        decode_images([png(np.eye(28, dtype=np.uint8))[:50]], (28, 28, 1))
    with pytest.raises(ValueError, match="expected an image, found 6e 6f"):
        decode_images([b"no image"], (28, 28, 1))


def test_no_images() -> None:
    assert decode_images([], (2, 2, 3)).shape == (0, 2, 2, 3)
