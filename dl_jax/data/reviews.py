"""Labelled texts into a `Dataset`: one order for every source, then ids."""

import hashlib
import re
import tarfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .dataset import Split
from .errors import DataCorrupted
from .progress import track
from .text import NUM_WORDS, encode, rank

CLASS_NAMES = ("neg", "pos")
_MEMBER = re.compile(r"aclImdb/(train|test)/(neg|pos)/[^/]+\.txt")
_MEMBERS = 100_000  # about as many files as the official archive has; for the progress bar


class Texts(NamedTuple):
    """Texts beside their labels, before they are tokens.

    Attributes:
        texts: `n` texts.
        labels: int32 `[n]`.
    """

    texts: list[str]
    labels: np.ndarray


def read_tar(path: Path) -> tuple[Texts, Texts]:
    """Training and test reviews from the published archive `aclImdb_v1.tar.gz`.

    Raises:
        DataCorrupted: the archive is cut off, or has no labelled reviews.
    """
    found: dict[str, tuple[list[str], list[int]]] = {"train": ([], []), "test": ([], [])}
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in track(archive, "Reading reviews", _MEMBERS):
                match = _MEMBER.fullmatch(member.name)
                file = archive.extractfile(member) if match else None
                if match is None or file is None:
                    continue
                texts, labels = found[match[1]]
                texts.append(file.read().strip().decode())
                labels.append(CLASS_NAMES.index(match[2]))
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise DataCorrupted(
            f"{path}: expected the whole archive of reviews, found one that can't be read "
            f"({error}); it was left as it is"
        ) from error
    train, test = (Texts(t, np.array(labels, np.int32)) for t, labels in found.values())
    if not train.texts or not test.texts:
        raise DataCorrupted(
            f"{path}: expected reviews in aclImdb/train and aclImdb/test, found "
            f"{len(train.texts)} and {len(test.texts)}"
        )
    return train, test


def to_splits(train: Texts, test: Texts) -> tuple[Split, Split, tuple[str, ...]]:
    """Both splits as token ids in the canonical order, and the vocabulary.

    The archive has all negative reviews before the positive ones, a prepared set has them
    shuffled. The order here is by the SHA-256 of the text: as good as random, so that the
    first 10,000 are a fair validation set, and the same from every source.
    """
    train, test = canonical(train), canonical(test)
    vocabulary = rank(train.texts, NUM_WORDS)
    return (
        Split(encode(train.texts, vocabulary), train.labels),
        Split(encode(test.texts, vocabulary), test.labels),
        vocabulary,
    )


def canonical(split: Texts) -> Texts:
    """The same texts ordered by their SHA-256, equal ones by their label."""
    digests = [hashlib.sha256(text.encode()).digest() for text in split.texts]
    order: Sequence[int] = sorted(
        range(len(digests)), key=lambda i: (digests[i], int(split.labels[i]))
    )
    return Texts([split.texts[i] for i in order], split.labels[np.array(order, np.int64)])
