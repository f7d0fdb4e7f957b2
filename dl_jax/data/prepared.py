"""Data sets that tensorflow-datasets has prepared as ArrayRecord files, without TensorFlow.

tensorflow-datasets finds the files and the features and reads the raw records in large
batches; its own decoding, one example at a time, would take MNIST half a minute.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .dataset import Split
from .errors import DataCorrupted, Unavailable
from .png import decode_images
from .progress import track
from .reviews import Texts

_BATCH = 5000


def locate(name: str, data_dir: Path) -> Path:
    """The folder of the newest prepared version of `name`: `NAME/[CONFIG/]VERSION`.

    Raises:
        Unavailable: nothing is prepared under that name.
    """
    root = data_dir / name
    for pattern in ("*/dataset_info.json", "plain_text/*/dataset_info.json"):
        versions = {_version(info.parent): info.parent for info in root.glob(pattern)}
        versions.pop((), None)
        if versions:
            return versions[max(versions)]
    raise Unavailable(f"nothing is prepared in {root}")


def image_sets(data_dir: Path) -> list[str]:
    """The names under `data_dir` that `read_images` can load."""
    found = set()
    for pattern in ("*/*/features.json", "*/*/*/features.json"):
        for path in data_dir.glob(pattern):
            if _version(path.parent) and _image_shape(path.parent) is not None:
                found.add(path.parent.parent.relative_to(data_dir).as_posix())
    return sorted(found)


def fingerprint(folder: Path) -> str:
    """Changes when the folder is prepared anew: of its files' names, sizes and times."""
    files = [(p.name, p.stat().st_size, p.stat().st_mtime_ns) for p in sorted(folder.iterdir())]
    return hashlib.sha256(json.dumps(files).encode()).hexdigest()


def read_images(folder: Path) -> tuple[Split, Split, tuple[str, ...]]:
    """Training and test split of an image-classification set, in the prepared order.

    Returns:
        Both splits, images uint8 `[n, height, width, channels]`, and the class names.

    Raises:
        Unavailable: tensorflow-datasets is not installed, or can't read the file format.
        DataCorrupted: a record can't be read.
        ValueError: no image-classification set with images of one size, or without a
            training and a test split.
    """
    shape = _image_shape(folder)
    if shape is None:
        raise ValueError(
            f"{folder}: expected an image-classification set: features `image` (uint8, a fixed "
            "shape with 1 or 3 channels) and `label`"
        )
    builder = _builder(folder)
    splits = []
    for split in ("train", "test"):
        images, labels = [], []
        for features in _examples(builder, split, folder):
            images.append(features["image"].bytes_list.value[0])
            labels.append(features["label"].int64_list.value[0])
        try:
            splits.append(Split(decode_images(images, shape), np.array(labels, np.int32)))
        except ValueError as error:
            raise DataCorrupted(f"{folder} ({split}): {error}") from error
    return splits[0], splits[1], tuple(builder.info.features["label"].names)


def read_texts(folder: Path) -> tuple[Texts, Texts]:
    """Training and test split of a text-classification set, in the prepared order.

    Raises:
        Unavailable: tensorflow-datasets is not installed, or can't read the file format.
        DataCorrupted: a record can't be read.
    """
    builder = _builder(folder)
    splits = []
    for split in ("train", "test"):
        texts, labels = [], []
        for features in _examples(builder, split, folder):
            texts.append(features["text"].bytes_list.value[0].decode())
            labels.append(features["label"].int64_list.value[0])
        splits.append(Texts(texts, np.array(labels, np.int32)))
    return splits[0], splits[1]


def published_order(split: Split, name: str) -> Split:
    """Undo the shuffling of a prepared set whose keys are the numbers of its examples.

    tensorflow-datasets stores examples by the MD5 of the split's name and the key. For the
    MNIST family the key is the position in the published file, so position `p` of the
    prepared set holds the example whose MD5 is the `p`-th smallest.

    Args:
        split: as prepared.
        name: `"train"` or `"test"`.
    """
    salted = hashlib.md5(name.encode(), usedforsecurity=False)

    def stored_at(key: int) -> bytes:
        md5 = salted.copy()
        md5.update(str(key).encode())
        return md5.digest()

    order = np.array(sorted(range(len(split.targets)), key=stored_at), np.int64)
    inputs, targets = np.empty_like(split.inputs), np.empty_like(split.targets)
    inputs[order], targets[order] = split.inputs, split.targets
    return Split(inputs, targets)


def _builder(folder: Path) -> Any:
    try:
        import array_record.python.array_record_module  # noqa: F401  (tfds needs it to read)
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise Unavailable(
            f"{folder} is prepared, but {error.name} is not installed: "
            'pip install "dl-jax[experiments]"'
        ) from error
    stored_as = json.loads((folder / "dataset_info.json").read_text()).get("fileFormat", "tfrecord")
    if stored_as != "array_record":
        raise Unavailable(
            f"{folder} is prepared as {stored_as}, which only TensorFlow reads; prepare it with "
            'file_format="array_record"'
        )
    return tfds.builder_from_directory(str(folder))


def _examples(builder: Any, split: str, folder: Path) -> Iterator[Any]:
    from tensorflow_datasets.core.decode import DeserializeMethod
    from tensorflow_datasets.proto import tf_example_pb2

    parse = getattr(tf_example_pb2, "Example").FromString  # noqa: B009  (made at run time)
    if split not in builder.info.splits:
        raise ValueError(
            f"{folder}: expected the splits train and test, got {sorted(builder.info.splits)}"
        )
    try:
        source = builder.as_data_source(split, deserialize_method=DeserializeMethod.RAW_BYTES)
        starts = range(0, len(source), _BATCH)
        for start in track(starts, f"Reading {builder.name} ({split})", len(starts)):
            keys = list(range(start, min(start + _BATCH, len(source))))
            for record in source.__getitems__(keys):
                features = parse(record).features.feature
                if not features:  # what the reader returns where a small file is cut off
                    raise IndexError("an empty record")
                yield features
    except (RuntimeError, IndexError, OSError) as error:
        raise DataCorrupted(
            f"{folder}: expected whole records of the split {split}, found a file that can't be "
            f"read ({error}); prepare the set again"
        ) from error


def _image_shape(folder: Path) -> tuple[int, int, int] | None:
    """`(height, width, channels)` of a set with one image and one class label, else None."""
    try:
        features = json.loads((folder / "features.json").read_text())["featuresDict"]["features"]
        shape = features["image"]["image"]["shape"]["dimensions"]
        height, width, channels = (int(n) for n in shape)
        classes = int(features["label"]["classLabel"]["numClasses"])
    except (OSError, KeyError, ValueError, TypeError):
        return None
    dtype = features["image"]["image"].get("dtype", "uint8")
    fits = dtype == "uint8" and classes > 0 and height > 0 and width > 0 and channels in (1, 3)
    return (height, width, channels) if fits else None


def _version(folder: Path) -> tuple[int, ...]:
    parts = folder.name.split(".")
    return tuple(int(p) for p in parts) if len(parts) == 3 and all(map(str.isdigit, parts)) else ()
