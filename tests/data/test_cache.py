"""The array cache: what goes in comes out, and damage is noticed."""

import json
import threading
from pathlib import Path

import numpy as np
import pytest

from dl_jax.data import CacheWarning, Dataset, Info, Split, Tokens, cache
from dl_jax.data.digest import array_digest, digest, file_digest


def dataset(train: Split, test: Split, vocabulary: tuple[str, ...] = ()) -> Dataset:
    names = ("no", "yes")
    digests = cache.array_digests(train, test, vocabulary)
    content = cache.content_digest(names, digests)
    return Dataset("tiny", train, test, Info(names, "a test", content, vocabulary=vocabulary))


def image_dataset(value: int = 7) -> Dataset:
    images = np.full((2, 3, 3, 1), value, np.uint8)
    labels = np.array([0, 1], np.int32)
    return dataset(Split(images, labels), Split(images[:1], labels[:1]))


def folder() -> Path:
    (found,) = cache.cache_dir().iterdir()  # nothing temporary is left beside it
    return found


def test_images_come_back_memory_mapped_and_read_only() -> None:
    written = image_dataset()
    cache.store(written, "key")
    found = cache.find("tiny", "key")
    assert found is not None
    assert isinstance(found.train.inputs, np.memmap)
    assert not found.train.inputs.flags.writeable
    np.testing.assert_array_equal(found.train.inputs, np.full((2, 3, 3, 1), 7))
    np.testing.assert_array_equal(found.test.targets, [0])
    assert (found.name, found.info.class_names) == ("tiny", ("no", "yes"))
    assert found.info.digest == written.info.digest
    assert folder().name == f"tiny-{written.info.digest[:16]}"
    assert found.info.source == f"array cache {folder()} (from a test)"


def test_tokens_come_back_with_their_vocabulary() -> None:
    tokens = Tokens(np.array([1, 4, 5, 1], np.uint16), np.array([0, 3, 4]))
    split = Split(tokens, np.array([1, 0], np.int32))
    cache.store(dataset(split, split, ("<padding>", "été\xa0", "x")), "key")
    found = cache.find("tiny", "key")
    assert found is not None
    assert isinstance(found.test.inputs, Tokens)
    assert found.test.inputs.ids.tolist() == [1, 4, 5, 1]
    assert found.test.inputs.offsets.tolist() == [0, 3, 4]
    assert found.info.vocabulary == ("<padding>", "été\xa0", "x")


def test_another_key_or_name_is_not_found() -> None:
    cache.store(image_dataset(), "key")
    assert cache.find("tiny", "other") is None
    assert cache.find("tin", "key") is None
    assert cache.find("tiny", "key") is not None


def test_equal_content_has_an_equal_digest_and_other_content_another() -> None:
    assert image_dataset(7).info.digest == image_dataset(7).info.digest
    assert image_dataset(7).info.digest != image_dataset(8).info.digest


def test_the_digest_of_an_array_is_that_of_its_file(tmp_path: Path) -> None:
    # More than two blocks of 4 MiB, and not a multiple of them.
    array = np.random.default_rng(0).integers(0, 256, (9 << 20) + 5, np.uint8)
    for part in (array, array[:10], array[:0], array[:1000].reshape(10, 100)[:, ::2]):
        np.save(tmp_path / "x.npy", part)
        assert array_digest(part) == file_digest(tmp_path / "x.npy")


def test_every_byte_counts_at_the_edges_of_blocks_too() -> None:
    array = np.zeros((9 << 20) + 5, np.uint8)
    whole = digest(array.data)
    for at in (0, (4 << 20) - 1, 4 << 20, (8 << 20) - 1, 8 << 20, len(array) - 1):
        array[at] = 1
        assert digest(array.data) != whole
        array[at] = 0
    assert digest(array.data) == whole
    assert digest(array[:-1].data) != whole


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def alter(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [truncate, alter, lambda path: path.write_bytes(b"")])
def test_a_damaged_file_is_named_with_both_digests_and_replaced(damage) -> None:
    cache.store(image_dataset(), "key")
    damaged = folder() / "train_inputs.npy"
    expected = file_digest(damaged)
    damage(damaged)
    with pytest.warns(
        CacheWarning,
        match=f"{damaged}: expected digest {expected}, found {file_digest(damaged)}",
    ):
        assert cache.find("tiny", "key") is None
    cache.store(image_dataset(), "key")
    assert cache.find("tiny", "key") is not None
    assert folder()


def test_a_missing_file_is_named() -> None:
    cache.store(image_dataset(), "key")
    (folder() / "test_targets.npy").unlink()
    with pytest.warns(CacheWarning, match=r"test_targets\.npy"):
        assert cache.find("tiny", "key") is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text[:20], "is damaged"),
        (lambda text: "[]", "is damaged"),
        (lambda text: text.replace("yes", "maybe"), "manifest.json: expected digest [0-9a-f]{64}"),
        (lambda text: text.replace('"files"', '"filed"'), "no 'files'"),
    ],
)
def test_a_damaged_manifest_is_noticed(change, message: str) -> None:
    cache.store(image_dataset(), "key")
    manifest = folder() / "manifest.json"
    manifest.write_text(change(manifest.read_text()))
    with pytest.warns(CacheWarning, match=message):
        assert cache.find("tiny", "key") is None


def test_a_cache_of_another_format_is_passed_over() -> None:
    cache.store(image_dataset(), "key")
    manifest = folder() / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "format": 0}))
    assert cache.find("tiny", "key") is None


def test_a_folder_that_cannot_be_written_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A file where the folder should be stops the superuser, too.
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DL_JAX_CACHE_DIR", str(tmp_path / "file" / "cache"))
    with pytest.warns(CacheWarning, match=r"file/cache can't be written.*set DL_JAX_CACHE_DIR"):
        cache.store(image_dataset(), "key")
    assert cache.find("tiny", "key") is None


def test_an_interrupted_write_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.warns(CacheWarning, match="No space left on device"):
        cache.store(image_dataset(), "key")
    assert list(cache.cache_dir().iterdir()) == []


def test_racing_writers_leave_one_whole_cache() -> None:
    start = threading.Barrier(6)

    def write() -> None:
        start.wait()
        for _ in range(5):
            cache.store(image_dataset(), "key")

    threads = [threading.Thread(target=write) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert folder()
    assert cache.find("tiny", "key") is not None


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DL_JAX_CACHE_DIR", str(tmp_path / "chosen"))
    assert cache.cache_dir() == tmp_path / "chosen"
    monkeypatch.delenv("DL_JAX_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache.cache_dir() == tmp_path / "xdg" / "dl_jax"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.cache_dir() == tmp_path / ".cache" / "dl_jax"
