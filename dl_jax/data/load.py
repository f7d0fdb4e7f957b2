"""`load`: a data set by its name, from the first place that has it."""

import os
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from . import archives, cache, idx, prepared, reviews
from .dataset import Dataset, Info, Split, Tokens
from .errors import DataCorrupted, DataNotFound, DataWarning, Unavailable
from .official import ARCHIVES, IMAGE_SETS, NAMES, PACKAGES, REVIEWS

Arrays = tuple[Split, Split, tuple[str, ...], tuple[str, ...]]
"""Training split, test split, class names, vocabulary."""


def load(
    name: str,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    manual_dir: str | os.PathLike[str] | None = None,
) -> Dataset:
    """Load a real data set into memory; the same arrays in the same order from every place.

    Looked for in this order: the array cache; the prepared sets of tensorflow-datasets in
    `data_dir`; the published archives, in `manual_dir` or fetched by tensorflow-datasets
    with its registered checksums; a Linux distribution's package. What is found elsewhere
    goes into the cache. Never the embedded data: that is `embedded(name)`.

    The images come in the order of the published IDX files and are verified by SHA-256 of
    those files' content; reviews come ordered by the SHA-256 of their text.

    Args:
        name: `mnist`, `fashion_mnist`, `imdb_reviews`, or an image-classification set that
            is prepared in `data_dir` (`available` lists them).
        data_dir: tensorflow-datasets' directory; by default `$TFDS_DATA_DIR`, else
            `~/tensorflow_datasets`.
        manual_dir: a folder with published archives, directly or in a subfolder `NAME`; by
            default `downloads/manual` in `data_dir`.

    Returns:
        Images uint8 `[n, height, width, channels]` or `Tokens`; labels int32 `[n]`. Arrays
        from the cache are memory-mapped and read-only.

    Raises:
        ValueError: the name is unknown, or labels are out of range.
        DataNotFound: no place has it; the message names each and what helps.
        DataCorrupted: a file's content is not what was published, and no later place has
            the data set. Where one has, it is used, with a `DataWarning` that names the file.
    """
    directory = _data_dir(data_dir)
    manual = Path(manual_dir).expanduser() if manual_dir else directory / "downloads" / "manual"
    if name not in NAMES:
        return _other_image_set(name, directory)
    key = "published"
    if found := cache.find(name, key):
        return found
    tried = [f"array cache: nothing of use in {cache.cache_dir()}"]
    corrupted: list[DataCorrupted] = []
    for place, read in _places(name, directory, manual).items():
        try:
            arrays, source = read()
        except Unavailable as error:
            tried.append(f"{place}: {error}")
            continue
        except DataCorrupted as error:
            tried.append(f"{place}: {error}")
            corrupted.append(error)
            continue
        for error in corrupted:
            warnings.warn(f"{error}\n{name} was taken from {source} instead", DataWarning, 2)
        return _keep(_dataset(name, arrays, source), key)
    message = _not_found(name, tried, directory, manual)
    raise DataCorrupted(message) if corrupted else DataNotFound(message)


def available(data_dir: str | os.PathLike[str] | None = None) -> tuple[str, ...]:
    """The names that `load` knows, those prepared in `data_dir` included."""
    others = prepared.image_sets(_data_dir(data_dir))
    return (*NAMES, *(name for name in others if name not in NAMES))


def check_labels(labels: np.ndarray, num_classes: int, where: str) -> None:
    """Raise `ValueError` unless `labels` are integers `[n]` in `0..num_classes - 1`."""
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(
            f"{where}: expected labels as integers [n], got {labels.dtype} {list(labels.shape)}"
        )
    if len(labels) and not 0 <= labels.min() <= labels.max() < num_classes:
        raise ValueError(
            f"{where}: expected labels 0..{num_classes - 1}, got {labels.min()}..{labels.max()}"
        )


def _places(
    name: str, directory: Path, manual: Path
) -> dict[str, Callable[[], tuple[Arrays, str]]]:
    """Each place after the cache, in order: what to call it and how to read it."""
    folders = [manual / name, manual]
    if name == REVIEWS:
        return {
            "prepared sets": lambda: _prepared_reviews(directory),
            "archives": lambda: (
                _review_arrays(archives.reviews_from_folder(name, folders)),
                f"published archive in {manual}",
            ),
            "download": lambda: (
                _review_arrays(archives.download_reviews(name, directory)),
                "published archive, downloaded",
            ),
        }
    facts = IMAGE_SETS[name]
    places: dict[str, Callable[[], tuple[Arrays, str]]] = {
        "prepared sets": lambda: _prepared_images(name, directory),
        "archives": lambda: (
            (*archives.images_from_folder(name, folders), facts.class_names, ()),
            f"published archives in {manual}",
        ),
        "download": lambda: (
            (*archives.download_images(name, directory), facts.class_names, ()),
            "published archives, downloaded",
        ),
    }
    if name in PACKAGES:
        folder = PACKAGES[name]
        places["package"] = lambda: (
            (*archives.images_from_folder(name, [folder]), facts.class_names, ()),
            f"package in {folder}",
        )
    return places


def _prepared_images(name: str, directory: Path) -> tuple[Arrays, str]:
    folder = prepared.locate(name, directory)
    train, test, _ = prepared.read_images(folder)
    train = prepared.published_order(train, "train")
    test = prepared.published_order(test, "test")
    idx.verify(train, test, IMAGE_SETS[name], str(folder))
    return (train, test, IMAGE_SETS[name].class_names, ()), f"prepared set {folder}"


def _prepared_reviews(directory: Path) -> tuple[Arrays, str]:
    folder = prepared.locate(REVIEWS, directory)
    return _review_arrays(prepared.read_texts(folder)), f"prepared set {folder}"


def _review_arrays(texts: tuple[reviews.Texts, reviews.Texts]) -> Arrays:
    train, test, vocabulary = reviews.to_splits(*texts)
    return train, test, reviews.CLASS_NAMES, vocabulary


def _other_image_set(name: str, directory: Path) -> Dataset:
    try:
        folder = prepared.locate(name, directory)
    except Unavailable as error:
        raise ValueError(
            f"unknown data set {name!r}: expected one of {', '.join(available(directory))}, or "
            f"an image-classification set that tensorflow-datasets has prepared ({error}; "
            "TFDS_DATA_DIR chooses another directory)"
        ) from error
    key = prepared.fingerprint(folder)
    if found := cache.find(name, key):
        return found
    try:
        train, test, class_names = prepared.read_images(folder)
    except Unavailable as error:
        raise DataNotFound(str(error)) from error
    return _keep(_dataset(name, (train, test, class_names, ()), f"prepared set {folder}"), key)


def _dataset(name: str, arrays: Arrays, source: str) -> Dataset:
    train, test, class_names, vocabulary = arrays
    for split, kind in ((train, "train"), (test, "test")):
        check_labels(split.targets, len(class_names), f"{name} ({kind}, from {source})")
    digests = cache.array_digests(train, test, vocabulary)
    info = Info(
        class_names, source, cache.content_digest(class_names, digests), vocabulary=vocabulary
    )
    return Dataset(name, train, test, info)


def _keep(dataset: Dataset, key: str) -> Dataset:
    cache.store(dataset, key)
    for split in (dataset.train, dataset.test):
        inputs = split.inputs
        shared = (inputs.ids, inputs.offsets) if isinstance(inputs, Tokens) else (inputs,)
        for array in (*shared, split.targets):
            array.flags.writeable = False  # as it will be when it comes from the cache
    return dataset


def _not_found(name: str, tried: list[str], directory: Path, manual: Path) -> str:
    files = archives.REVIEWS_ARCHIVE if name == REVIEWS else ", ".join(f"{a}.gz" for a in ARCHIVES)
    remedies = [
        f"set TFDS_DATA_DIR (now {directory}) to a directory where tensorflow-datasets has "
        f'prepared {name} with file_format="array_record"',
        f"put the published archives ({files}) into {manual / name}",
        'with a network: pip install "dl-jax[experiments]", and load fetches them',
    ]
    if name in PACKAGES:
        remedies.append("on Debian or Ubuntu: apt install dataset-fashion-mnist")
    lines = [f"{name} was not found. Looked in:"]
    lines += [f"  - {reason}" for reason in tried]
    lines += ["What helps, any of:"] + [f"  - {remedy}" for remedy in remedies]
    lines.append(f'Without any of it, dl_jax.data.embedded("{name}") has a small stand-in.')
    return "\n".join(lines)


def _data_dir(chosen: str | os.PathLike[str] | None) -> Path:
    return Path(chosen or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets").expanduser()
