"""The IDX format of the MNIST family, read with numpy alone, and its content verified.

A file is two zero bytes, a byte for the type (8: unsigned), a byte for the number of
dimensions, each dimension as a big-endian 32-bit number, and the values. Source: the
description on MNIST's home page.
"""

import gzip
import hashlib
import zlib
from pathlib import Path

import numpy as np

from .dataset import Split
from .errors import DataCorrupted, OtherContent, Unavailable
from .official import ARCHIVES, IMAGE_SETS, ImageSet


def header(shape: tuple[int, ...]) -> bytes:
    """The bytes before the values of an unsigned 8-bit IDX file of this shape."""
    return bytes([0, 0, 8, len(shape)]) + np.array(shape, ">u4").tobytes()


def decode(content: bytes, path: Path) -> np.ndarray:
    """The values of an IDX file as uint8 in the shape that its header says.

    Raises:
        DataCorrupted: no unsigned 8-bit IDX file, or its length contradicts its header.
    """
    if content[:3] != bytes([0, 0, 8]) or len(content) < 4 + 4 * content[3]:
        raise DataCorrupted(
            f"{path}: expected an IDX file of unsigned bytes (00 00 08 ...), "
            f"found one that begins with {content[:4].hex(' ') or 'nothing'}"
        )
    shape = tuple(int(n) for n in np.frombuffer(content, ">u4", content[3], 4))
    start = 4 + 4 * len(shape)
    if len(content) - start != np.prod(shape, dtype=np.int64):
        raise DataCorrupted(
            f"{path}: expected {np.prod(shape, dtype=np.int64)} values for the shape {shape} "
            f"in its header, found {len(content) - start}"
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def read_folder(folder: Path, facts: ImageSet) -> tuple[Split, Split]:
    """Training and test split from the four IDX files in `folder`, `.gz` or not.

    Raises:
        Unavailable: a file is missing; nothing was read.
        DataCorrupted: a file is cut off, or its content is not the published one
            (`OtherContent` when it is that of another set in `IMAGE_SETS`).
    """
    paths = [_existing(folder / name) for name in ARCHIVES]
    return read_files(paths, facts)


def read_files(paths: list[Path], facts: ImageSet) -> tuple[Split, Split]:
    """As `read_folder`, from the paths of the four files in the order of `ARCHIVES`."""
    arrays = []
    for path, expected in zip(paths, facts.content, strict=True):
        content = _uncompressed(path, expected)
        _compare(str(path), expected, hashlib.sha256(content).hexdigest())
        arrays.append(decode(content, path))
    return splits(*arrays)


def verify(train: Split, test: Split, facts: ImageSet, where: str) -> None:
    """Compare splits with the published IDX files, value by value and in their order.

    Raises:
        DataCorrupted: naming `where`, the file, the expected and the found digest.
    """
    arrays = (train.inputs, train.targets, test.inputs, test.targets)
    for array, name, expected in zip(arrays, ARCHIVES, facts.content, strict=True):
        array = np.asarray(array)
        array = array[..., 0] if array.ndim == 4 else array.astype(np.uint8)
        found = hashlib.sha256(header(array.shape))
        found.update(np.ascontiguousarray(array).data)
        _compare(f"{where} ({name})", expected, found.hexdigest())


def splits(
    train_images: np.ndarray,
    train_labels: np.ndarray,
    test_images: np.ndarray,
    test_labels: np.ndarray,
) -> tuple[Split, Split]:
    """Images as uint8 `[n, height, width, 1]` beside their labels as int32 `[n]`."""
    return (
        Split(train_images[..., None], train_labels.astype(np.int32)),
        Split(test_images[..., None], test_labels.astype(np.int32)),
    )


def _existing(path: Path) -> Path:
    for candidate in (path.with_name(path.name + ".gz"), path):
        if candidate.is_file():
            return candidate
    raise Unavailable(f"{path.parent} has no {path.name}.gz")


def _uncompressed(path: Path, expected: str) -> bytes:
    stored = path.read_bytes()
    if path.suffix != ".gz":
        return stored
    try:
        return gzip.decompress(stored)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataCorrupted(
            f"{path}: expected content with SHA-256 {expected}, found a gzip file of "
            f"{len(stored)} bytes with SHA-256 {hashlib.sha256(stored).hexdigest()} that does not "
            f"decompress ({error}). Fetch the archive again, or remove it to have it looked for "
            "elsewhere; it was left as it is."
        ) from error


def _compare(what: str, expected: str, found: str) -> None:
    if found == expected:
        return
    known = {digest: name for name, facts in IMAGE_SETS.items() for digest in facts.content}
    whose = f", which is the one of {known[found]}" if found in known else ""
    kind = OtherContent if found in known else DataCorrupted
    raise kind(
        f"{what}: expected content with SHA-256 {expected}, found {found}{whose}. Replace it with "
        "the published one, or remove it to have it looked for elsewhere; it was left as it is."
    )
