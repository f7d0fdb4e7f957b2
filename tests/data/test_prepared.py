"""Prepared tensorflow-datasets directories, made here record by record."""

import json
from pathlib import Path

import numpy as np
import pytest

from dl_jax.data import DataCorrupted, DataNotFound, Tokens, available, decode, load

from .samples import (
    REVIEWS,
    png,
    register,
    write_prepared,
    write_prepared_mnist,
    write_review_archive,
)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "tfds"  # where TFDS_DATA_DIR points


def colours(n: int, shape: tuple[int, int, int] = (4, 6, 3)) -> np.ndarray:
    return np.random.default_rng(n).integers(0, 256, (n, *shape), np.uint8)


def examples(images: np.ndarray) -> list[tuple[bytes, int]]:
    return [(png(image), i % 2) for i, image in enumerate(images)]


def test_mnist_comes_in_the_published_order(images: list[np.ndarray], data_dir: Path) -> None:
    folder = write_prepared_mnist(data_dir, images)
    mnist = load("mnist")
    for split, (inputs, labels) in (("train", images[:2]), ("test", images[2:])):
        found = getattr(mnist, split)
        np.testing.assert_array_equal(found.inputs, inputs[..., None])
        np.testing.assert_array_equal(found.targets, labels)
        assert (found.inputs.dtype, found.targets.dtype) == (np.uint8, np.int32)
    assert mnist.info.source == f"prepared set {folder}"
    assert mnist.info.class_names == tuple("0123456789")
    assert load("mnist").info.source.startswith("array cache")


def test_other_content_is_named_with_both_digests(images: list[np.ndarray], data_dir: Path) -> None:
    digest = "[0-9a-f]{64}"
    altered = [images[0], images[1][::-1], *images[2:]]
    folder = write_prepared_mnist(data_dir, altered)
    with pytest.raises(
        DataCorrupted,
        match=rf"{folder} \(train-labels.*\): expected .*SHA-256 {digest}, found {digest}",
    ):
        load("mnist")


def test_data_dir_is_asked_before_the_variable(
    images: list[np.ndarray], tmp_path: Path, data_dir: Path
) -> None:
    write_prepared_mnist(tmp_path / "mine", images)
    assert "mine" in load("mnist", data_dir=tmp_path / "mine").info.source


def test_a_truncated_record_file_is_named(images: list[np.ndarray], data_dir: Path) -> None:
    folder = write_prepared_mnist(data_dir, images)
    (file,) = folder.glob("*-test.array_record*")
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(DataCorrupted, match=rf"{folder}: expected whole records of the split test"):
        load("mnist")


def test_any_image_classification_set_loads_by_its_name(data_dir: Path) -> None:
    train, test = colours(3), colours(2)
    splits = {"train": examples(train), "test": examples(test)}
    names = ("cat", "dog")
    write_prepared(data_dir / "pets" / "1.0.0", splits, shape=(4, 6, 3), names=names)
    pets = load("pets")
    np.testing.assert_array_equal(pets.train.inputs, train)
    np.testing.assert_array_equal(pets.test.inputs, test)
    assert pets.train.targets.tolist() == [0, 1, 0]
    assert pets.info.class_names == names
    assert load("pets").info.source.startswith("array cache")
    assert available() == ("mnist", "fashion_mnist", "imdb_reviews", "pets")


def test_the_newest_version_is_taken_and_a_new_one_not_hidden_by_the_cache(data_dir: Path) -> None:
    for version, n in (("1.9.0", 2), ("1.10.0", 4)):
        splits = {"train": examples(colours(n)), "test": examples(colours(1))}
        write_prepared(data_dir / "pets" / version, splits, shape=(4, 6, 3), names=("cat", "dog"))
        assert len(load("pets").train.targets) == n
        assert load("pets").info.source.startswith("array cache")


def test_labels_out_of_range(data_dir: Path) -> None:
    splits = {"train": examples(colours(2)), "test": examples(colours(1))}
    write_prepared(data_dir / "pets" / "1.0.0", splits, shape=(4, 6, 3), names=("cat",))
    with pytest.raises(ValueError, match=r"pets \(train.*expected labels 0\.\.0, got 0\.\.1"):
        load("pets")


def test_what_is_no_image_classification_set(data_dir: Path) -> None:
    folder = write_prepared(data_dir / "poems" / "1.0.0", {"train": []}, feature="text")
    with pytest.raises(ValueError, match=rf"{folder}: expected an image-classification set"):
        load("poems")
    assert "poems" not in available()


def test_images_of_no_fixed_shape_are_no_such_set(data_dir: Path) -> None:
    folder = write_prepared(data_dir / "pets" / "1.0.0", {"train": []}, shape=(-1, 6, 3))
    with pytest.raises(ValueError, match=rf"{folder}: expected .*a fixed shape"):
        load("pets")


def test_a_set_without_a_test_split(data_dir: Path) -> None:
    splits = {"train": examples(colours(2))}
    write_prepared(data_dir / "pets" / "1.0.0", splits, shape=(4, 6, 3), names=("cat", "dog"))
    with pytest.raises(ValueError, match=r"expected the splits train and test, got \['train'\]"):
        load("pets")


def test_a_format_that_needs_tensorflow(images: list[np.ndarray], data_dir: Path) -> None:
    folder = write_prepared_mnist(data_dir, images)
    info = json.loads((folder / "dataset_info.json").read_text())
    (folder / "dataset_info.json").write_text(json.dumps({**info, "fileFormat": "tfrecord"}))
    with pytest.raises(DataNotFound, match=r'as tfrecord, .*file_format="array_record"'):
        load("mnist")


def test_reviews_become_token_ids(data_dir: Path) -> None:
    splits = {
        split: [(text.encode(), label) for text, label in reviews]
        for split, reviews in REVIEWS.items()
    }
    folder = data_dir / "imdb_reviews" / "plain_text" / "1.0.0"
    write_prepared(folder, splits, feature="text", names=("neg", "pos"))
    reviews = load("imdb_reviews")
    assert reviews.info.class_names == ("neg", "pos")
    # good: 4 times, then a, film, bad: twice, then br.
    assert reviews.info.vocabulary[4] == "good"
    assert set(reviews.info.vocabulary[5:]) == {"a", "film", "bad", "br"}
    assert reviews.info.vocabulary[-1] == "br"
    assert isinstance(reviews.train.inputs, Tokens)
    assert isinstance(reviews.test.inputs, Tokens)
    found = {
        decode(reviews.train.inputs[i], reviews.info.vocabulary): int(label)  # pyright: ignore[reportArgumentType]
        for i, label in enumerate(reviews.train.targets)
    }
    assert found == {"a good film": 1, "a bad film": 0, "good good br good": 1, "bad": 0}
    assert 2 in reviews.test.inputs.ids  # "not" is not in the training split


def test_reviews_are_the_same_from_the_archive(data_dir: Path, tmp_path: Path, monkeypatch) -> None:
    splits = {
        split: [(text.encode(), label) for text, label in reviews]
        for split, reviews in REVIEWS.items()
    }
    folder = data_dir / "imdb_reviews" / "plain_text" / "1.0.0"
    write_prepared(folder, splits, feature="text", names=("neg", "pos"))
    prepared = load("imdb_reviews")
    manual = write_review_archive(tmp_path / "manual")
    register(monkeypatch, "http://127.0.0.1:9", manual)
    monkeypatch.setenv("DL_JAX_CACHE_DIR", str(tmp_path / "other"))
    archived = load("imdb_reviews", data_dir=tmp_path / "none", manual_dir=manual)
    assert archived.info.source.startswith("published archive")
    assert archived.info.digest == prepared.info.digest
    assert archived.train.targets.tolist() == prepared.train.targets.tolist()
