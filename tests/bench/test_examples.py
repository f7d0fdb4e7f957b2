"""Data of the real size, synthetic or real."""

import numpy as np
import pytest

from dl_jax import data
from dl_jax.bench.examples import make_data, mean_words
from dl_jax.bench.workloads import make_workload
from dl_jax.data import Dataset, Info, Split, Tokens


def both(workload, source):
    """Training and validation examples."""
    train, validation = make_data(workload, source)
    assert validation is not None
    return train, validation


@pytest.mark.parametrize(
    ("name", "inputs", "size"),
    [
        ("fashion_mlp", (np.uint8, (28, 28, 1)), (60_000, 10_000)),
        ("imdb_bow", (np.uint16, (608,)), (15_000, 10_000)),
        ("perceptron", (np.float32, (2,)), (128, 32)),
    ],
)
def test_synthetic_data_have_the_real_shape_and_are_always_the_same(name, inputs, size):
    workload = make_workload(name)
    train, validation = both(workload, "synthetic")
    for part, number in ((train, size[0]), (validation, size[1])):
        assert (part.inputs.dtype, part.inputs.shape) == (inputs[0], (number, *inputs[1]))
        assert (part.targets.dtype, part.targets.shape) == (np.int32, (number,))
    classes = 2 if workload.num_logits == 1 else 10
    assert sorted(set(np.asarray(train.targets).tolist())) == list(range(classes))
    again = make_data(workload, "synthetic").train
    np.testing.assert_array_equal(train.inputs, again.inputs)


def test_synthetic_images_have_the_size_asked_for():
    workload = make_workload("fashion_mlp", image_size=8)
    assert make_data(workload, "synthetic").train.inputs.shape == (60_000, 8, 8, 1)


def test_synthetic_reviews_have_as_many_words_as_real_ones():
    ids = np.asarray(make_data(make_workload("imdb_bow"), "synthetic").train.inputs)
    lengths = (ids > 0).sum(axis=1)
    assert 125 < lengths.mean() < 135  # IMDB: 132
    assert 450 < lengths.max() <= 608
    assert mean_words(ids) == round(lengths.mean())
    first = ids[0, : lengths[0]]
    assert (np.diff(first.astype(int)) > 0).all()  # distinct, and padded at the end
    assert not ids[0, lengths[0] :].any()
    assert ids.max() == 9_999


def stand_in(name, inputs, test_inputs, num_train, num_test):
    targets = np.arange(num_train, dtype=np.int32) % 2
    test = Split(test_inputs, np.ones(num_test, np.int32))
    return Dataset(name, Split(inputs, targets), test, Info(("no", "yes"), "here", "0"))


def test_real_images_are_held_out_as_the_experiments_hold_them_out(monkeypatch):
    images = np.arange(60, dtype=np.uint8)[:, None, None, None].repeat(28, 1).repeat(28, 2)
    monkeypatch.setattr(data, "load", lambda name: stand_in(name, images, images[:10], 60, 10))
    digits = make_workload("mnist_cnn", batch_size=8)._replace(num_train=54, num_validation=6)
    train, validation = both(digits, "real")
    assert train.inputs[:, 0, 0, 0].tolist() == list(range(54))
    assert validation.inputs[:, 0, 0, 0].tolist() == list(range(54, 60))
    clothes = make_workload("fashion_mlp")._replace(num_train=60, num_validation=10)
    train, validation = both(clothes, "real")
    assert len(train.inputs) == 60
    assert validation.inputs[:, 0, 0, 0].tolist() == list(range(10))  # the test images
    assert set(validation.targets.tolist()) == {1}


def test_of_real_reviews_the_first_are_held_out(monkeypatch):
    reviews = Tokens(np.array([3, 3, 1, 5, 2, 9], np.uint16), np.array([0, 3, 4, 5, 6]))
    monkeypatch.setattr(data, "load", lambda name: stand_in(name, reviews, reviews[:1], 4, 1))
    workload = make_workload("imdb_bow")._replace(num_train=3, num_validation=1)
    train, validation = both(workload, "real")
    assert validation.inputs.shape == (1, 32)  # whole rows for ops.bag_of_words
    assert validation.inputs[0, :3].tolist() == [1, 3, 0]
    assert train.inputs[:, :2].tolist() == [[5, 0], [2, 0], [9, 0]]
    assert train.targets.tolist() == [1, 0, 1]


def test_real_data_that_there_are_not_are_refused(monkeypatch):
    with pytest.raises(ValueError, match="no real data for perceptron; there are for fashion_mlp"):
        make_data(make_workload("perceptron"), "real")
    with pytest.raises(ValueError, match=r"images of mnist are \(28, 28\); leave out --image-size"):
        make_data(make_workload("mnist_cnn", image_size=32), "real")
    images = np.zeros((60, 28, 28, 1), np.uint8)
    monkeypatch.setattr(data, "load", lambda name: stand_in(name, images, images, 60, 60))
    with pytest.raises(ValueError, match="expected 60,000 examples of its real data, got 60"):
        make_data(make_workload("mnist_cnn"), "real")
