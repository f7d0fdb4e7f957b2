"""What `load` returns: arrays in memory, no iterator and no framework object."""

from dataclasses import dataclass, field
from typing import NamedTuple, overload

import numpy as np


@dataclass(frozen=True)
class Tokens:
    """Sequences of different lengths, one after the other.

    Sequence `i` is `ids[offsets[i] : offsets[i + 1]]`.

    Attributes:
        ids: uint16 `[total]`, the token ids of all sequences.
        offsets: int64 `[n + 1]`, where each sequence begins; the last entry is `total`.
    """

    ids: np.ndarray
    offsets: np.ndarray

    def __len__(self) -> int:
        """The number of sequences, `n`."""
        return len(self.offsets) - 1

    @overload
    def __getitem__(self, index: int) -> np.ndarray: ...

    @overload
    def __getitem__(self, index: slice) -> "Tokens": ...

    def __getitem__(self, index: int | slice) -> "np.ndarray | Tokens":
        """Sequence `index` as uint16 `[length]`, or the sequences of a contiguous slice."""
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step != 1:
                raise ValueError(f"Tokens: expected a slice of step 1, got step {step}")
            offsets = self.offsets[start : max(start, stop) + 1]
            return Tokens(self.ids[offsets[0] : offsets[-1]], offsets - offsets[0])
        index = range(len(self))[index]
        return self.ids[self.offsets[index] : self.offsets[index + 1]]


class Split(NamedTuple):
    """Inputs beside their targets.

    Attributes:
        inputs: images uint8 `[n, height, width, channels]` in 0..255, or `Tokens`.
        targets: int32 `[n]`, class labels in `0..num_classes - 1`.
    """

    inputs: "np.ndarray | Tokens"
    targets: np.ndarray


@dataclass(frozen=True)
class Info:
    """Where a data set comes from and what its labels mean.

    Attributes:
        class_names: the name of each label, in order.
        source: where the arrays were found, for people ("array cache", a folder, ...).
        digest: SHA-256 over the content, hexadecimal; equal content has an equal digest.
        embedded: whether this is the small stand-in that needs no network.
        vocabulary: for text, the word of each token id; empty for images.
    """

    class_names: tuple[str, ...]
    source: str
    digest: str
    embedded: bool = False
    vocabulary: tuple[str, ...] = field(default=(), repr=False)

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return len(self.class_names)


@dataclass(frozen=True)
class Dataset:
    """A data set in memory.

    Attributes:
        name: as given to `load`, for example `"mnist"`.
        train: the training split.
        test: the test split.
        info: source, digest and class names.
    """

    name: str
    train: Split
    test: Split
    info: Info
