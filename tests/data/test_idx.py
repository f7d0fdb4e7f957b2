"""The IDX format, byte for byte."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from dl_jax.data import DataCorrupted
from dl_jax.data.dataset import Split
from dl_jax.data.errors import OtherContent
from dl_jax.data.idx import decode, header, verify
from dl_jax.data.official import IMAGE_SETS, ImageSet


def test_header() -> None:
    assert header((60000, 28, 28)).hex(" ", 4) == "00000803 0000ea60 0000001c 0000001c"


def test_decode() -> None:
    content = bytes.fromhex("00000802 00000002 00000003 010203 040506")
    assert decode(content, Path("x")).tolist() == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "found one that begins with nothing"),
        (b"GIF89a", "begins with 47 49 46 38"),
        (bytes.fromhex("00000801 00000003 0102"), "expected 3 values .* found 2"),
    ],
)
def test_what_is_no_idx_file_is_named(content: bytes, message: str) -> None:
    with pytest.raises(DataCorrupted, match=f"labels.gz: .*{message}"):
        decode(content, Path("labels.gz"))


def test_verify_hashes_header_and_values() -> None:
    images, labels = np.zeros((1, 2, 2, 1), np.uint8), np.array([7], np.int32)
    digests = [
        hashlib.sha256(bytes.fromhex(content)).hexdigest()
        for content in ("00000803 00000001 00000002 00000002 00000000", "00000801 00000001 07")
    ]
    facts = ImageSet((), (digests[0], digests[1], digests[0], digests[1]))
    split = Split(images, labels)
    verify(split, split, facts, "here")
    with pytest.raises(DataCorrupted, match=rf"here \(t10k-labels.*{digests[1]}, found [0-9a-f]+"):
        verify(split, Split(images, labels + 1), facts, "here")


def test_content_of_another_set_is_recognised(monkeypatch: pytest.MonkeyPatch) -> None:
    digest = hashlib.sha256(bytes.fromhex("00000801 00000001 07")).hexdigest()
    mnist = IMAGE_SETS["mnist"]._replace(content=(digest,) * 4)
    monkeypatch.setitem(IMAGE_SETS, "mnist", mnist)
    split = Split(np.array([7], np.uint8), np.array([7], np.int32))
    with pytest.raises(OtherContent, match=f"found {digest}, which is the one of mnist"):
        verify(split, split, IMAGE_SETS["fashion_mnist"], "here")
