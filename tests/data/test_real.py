"""The real sets, where `TFDS_DATA_DIR` has them."""

import os
from pathlib import Path

import numpy as np
import pytest

from dl_jax.data import Tokens, distinct, load

# Read before the tests' own folders take its place.
DATA_DIR = os.environ.get("TFDS_DATA_DIR", "")


def prepared(name: str) -> pytest.MarkDecorator:
    found = bool(DATA_DIR) and (Path(DATA_DIR) / name).is_dir()
    return pytest.mark.skipif(not found, reason=f"TFDS_DATA_DIR has no prepared {name}")


@pytest.mark.real_data
@prepared("mnist")
def test_mnist() -> None:
    mnist = load("mnist", data_dir=DATA_DIR)
    assert isinstance(mnist.train.inputs, np.ndarray)
    assert mnist.train.inputs.shape == (60000, 28, 28, 1)
    assert mnist.test.targets.shape == (10000,)
    # The first digits of the published files, known to everyone who has plotted them.
    assert mnist.train.targets[:5].tolist() == [5, 0, 4, 1, 9]
    assert mnist.test.targets[:5].tolist() == [7, 2, 1, 0, 4]
    again = load("mnist", data_dir=DATA_DIR)
    assert again.info.source.startswith("array cache")
    assert again.info.digest == mnist.info.digest


@pytest.mark.real_data
@prepared("imdb_reviews")
def test_imdb_reviews() -> None:
    reviews = load("imdb_reviews", data_dir=DATA_DIR)
    assert isinstance(reviews.train.inputs, Tokens)
    assert (len(reviews.train.inputs), len(reviews.test.targets)) == (25000, 25000)
    assert reviews.train.targets.sum() == reviews.test.targets.sum() == 12500
    # Keras' own word index begins so, which the lecture's arrays were made with.
    assert " ".join(reviews.info.vocabulary[4:14]) == "the and a of to is br in it i"
    assert 0.48 < reviews.train.targets[:10000].mean() < 0.52
    ids = distinct(reviews.train.inputs)
    assert ids.shape == (25000, 588)
    assert 131 < np.count_nonzero(ids, axis=1).mean() < 132
