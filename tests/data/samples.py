"""Small data sets in every form that `load` reads, made by the tests themselves."""

import gzip
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dl_jax.data import archives, idx, official

FILES = [f"{name}.gz" for name in official.ARCHIVES]

REVIEWS = {
    "train": [("A good film.", 1), ("A bad film!", 0), ("Good, good<br />good.", 1), ("Bad...", 0)],
    "test": [("Not good", 0), ("not BAD", 1)],
}


def register(monkeypatch: pytest.MonkeyPatch, address: str, folder: Path) -> None:
    """Put `address` and the digests of the files in `folder` in the place of tfds' registry."""

    def registered(name: str) -> dict[str, Any]:
        from tensorflow_datasets.core.download.checksums import UrlInfo, compute_url_info
        from tensorflow_datasets.core.utils import Size

        files = FILES if name in official.IMAGE_SETS else [archives.REVIEWS_ARCHIVE]
        return {
            f"{address}/{file}": compute_url_info(folder / file)
            if (folder / file).exists()
            else UrlInfo(Size(0), "0" * 64, file)
            for file in files
        }

    monkeypatch.setattr(archives, "registered", registered)


def idx_bytes(array: np.ndarray) -> bytes:
    """An IDX file; `tests/data/test_idx.py` pins the header to bytes written out."""
    return idx.header(array.shape) + array.tobytes()


def write_archives(folder: Path, arrays: list[np.ndarray]) -> Path:
    """The four archives of an MNIST-like set."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in zip(FILES, arrays, strict=True):
        (folder / name).write_bytes(gzip.compress(idx_bytes(array)))
    return folder


def write_review_archive(folder: Path) -> Path:
    """`REVIEWS` as the published tar: per split the negative ones, then the positive ones."""
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(folder / archives.REVIEWS_ARCHIVE, "w:gz") as archive:
        for split, reviews in REVIEWS.items():
            for i, (text, label) in enumerate(sorted(reviews, key=lambda review: review[1])):
                name = f"aclImdb/{split}/{('neg', 'pos')[label]}/{i}_7.txt"
                content = f"{text}\n".encode()
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        archive.addfile(tarfile.TarInfo("aclImdb/train/unsup/0_0.txt"), io.BytesIO(b""))
    return folder


def png(image: np.ndarray) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image.squeeze()).save(file, "PNG")
    return file.getvalue()


def write_prepared(
    folder: Path,
    splits: dict[str, list[tuple[bytes, int]]],
    *,
    feature: str = "image",
    shape: tuple[int, ...] = (28, 28, 1),
    names: tuple[str, ...] = tuple("0123456789"),
    file_format: str = "array_record",
) -> Path:
    """What tensorflow-datasets would prepare: records, features and the splits' sizes."""
    from array_record.python.array_record_module import ArrayRecordWriter
    from tensorflow_datasets.proto import tf_example_pb2

    folder.mkdir(parents=True)
    name = next(p for p in folder.parts[::-1] if p != "plain_text" and not p[0].isdigit())
    for split, examples in splits.items():
        file = folder / f"{name}-{split}.array_record-00000-of-00001"
        writer = ArrayRecordWriter(str(file), "group_size:1")
        for content, label in examples:
            example = getattr(tf_example_pb2, "Example")()  # noqa: B009  (made at run time)
            example.features.feature[feature].bytes_list.value.append(content)
            example.features.feature["label"].int64_list.value.append(label)
            writer.write(example.SerializeToString())
        writer.close()
    prefix = "tensorflow_datasets.core.features"
    dimensions = {"dimensions": [str(n) for n in shape]}
    contents = {
        "image": {
            "image": {"dtype": "uint8", "shape": dimensions},
            "pythonClassName": f"{prefix}.image_feature.Image",
        },
        "text": {"text": {}, "pythonClassName": f"{prefix}.text_feature.Text"},
    }
    label = {
        "classLabel": {"numClasses": str(len(names))},
        "pythonClassName": f"{prefix}.class_label_feature.ClassLabel",
    }
    features = {
        "featuresDict": {"features": {feature: contents[feature], "label": label}},
        "pythonClassName": f"{prefix}.features_dict.FeaturesDict",
    }
    (folder / "features.json").write_text(json.dumps(features))
    (folder / "label.labels.txt").write_text("\n".join(names) + "\n")
    info = {
        "name": name,
        "version": "1.0.0",
        "fileFormat": file_format,
        "splits": [
            {
                "name": split,
                "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
                "shardLengths": [str(len(examples))],
                "numBytes": "1",
            }
            for split, examples in splits.items()
        ],
    }
    (folder / "dataset_info.json").write_text(json.dumps(info))
    return folder


def shuffled(images: np.ndarray, labels: np.ndarray, split: str) -> list[tuple[bytes, int]]:
    """Encoded examples in the order of tfds' own hash of the split and the position."""
    from tensorflow_datasets.core.hashing import Hasher

    hasher = Hasher(split)
    order = sorted(range(len(labels)), key=hasher.hash_key)
    return [(png(images[i]), int(labels[i])) for i in order]


def write_prepared_mnist(data_dir: Path, arrays: list[np.ndarray], name: str = "mnist") -> Path:
    splits = {
        "train": shuffled(arrays[0], arrays[1], "train"),
        "test": shuffled(arrays[2], arrays[3], "test"),
    }
    return write_prepared(data_dir / name / "1.0.0", splits)
