"""The stand-ins: the same everywhere, shaped like the real sets, and as hard as they claim."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.linear_model import LogisticRegression

from dl_jax.data import text
from dl_jax.data.dataset import Dataset, Tokens
from dl_jax.data.embedded import embedded
from dl_jax.data.review_grammar import generate_reviews

# Change these only together with the data on purpose: results on embedded data then change too.
DIGEST = {
    "mnist": "94b138a388a17731e702fb86228c305d7656ad6b9065977a346b211c81dc3342",
    "imdb_reviews": "a0001d197d8f6965c530c3e10339235b9d88f32a56c26d3caa4046c8161d754b",
}


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return embedded("mnist")


@pytest.fixture(scope="module")
def reviews() -> Dataset:
    return embedded("imdb_reviews")


def sequences(tokens: "np.ndarray | Tokens") -> list[bytes]:
    assert isinstance(tokens, Tokens)
    bounds = zip(tokens.offsets[:-1], tokens.offsets[1:], strict=True)
    return [tokens.ids[start:stop].tobytes() for start, stop in bounds]


def multi_hot(tokens: "np.ndarray | Tokens") -> csr_array:
    # Sparse: the dense matrix of `text.vectorize` would take this test ten seconds.
    assert isinstance(tokens, Tokens)
    ones = np.ones(len(tokens.ids), np.float32)
    counts = csr_array((ones, tokens.ids.astype(np.int32), tokens.offsets), (len(tokens), 10_000))
    counts.sum_duplicates()
    counts.data[:] = 1.0
    return counts


def test_the_content_is_pinned(digits: Dataset, reviews: Dataset) -> None:
    assert digits.info.digest == DIGEST["mnist"]
    assert reviews.info.digest == DIGEST["imdb_reviews"]


def test_digits_look_like_mnist(digits: Dataset) -> None:
    for split, n in ((digits.train, 1437), (digits.test, 360)):
        assert isinstance(split.inputs, np.ndarray)
        assert split.inputs.shape == (n, 28, 28, 1)
        assert split.inputs.dtype == np.uint8
        assert split.targets.shape == (n,)
        assert split.targets.dtype == np.int32
        assert split.inputs.max() == 255
        assert np.all(split.inputs.max(axis=(1, 2, 3)) > 200)  # white digits ...
        assert np.all(split.inputs[:, [0, -1]] == 0)  # ... on black
    assert digits.info.class_names == tuple("0123456789")
    assert digits.info.embedded


def test_digits_are_centred_by_mass(digits: Dataset) -> None:
    assert isinstance(digits.train.inputs, np.ndarray)
    mass = digits.train.inputs[..., 0].astype(float)
    total = mass.sum(axis=(1, 2))
    for axis in (1, 2):
        centre = (mass.sum(axis=3 - axis) * np.arange(28)).sum(axis=1) / total
        # Half a pixel is what a shift by whole pixels leaves.
        np.testing.assert_allclose(centre, 13.5, atol=0.5 + 1e-9)


def test_digits_are_stratified_and_apart(digits: Dataset) -> None:
    train, test = digits.train, digits.test
    assert isinstance(train.inputs, np.ndarray)
    assert isinstance(test.inputs, np.ndarray)
    share = np.bincount(test.targets) / (np.bincount(train.targets) + np.bincount(test.targets))
    np.testing.assert_allclose(share, 0.2, atol=0.006)
    assert not {x.tobytes() for x in train.inputs} & {x.tobytes() for x in test.inputs}


def test_fashion_says_that_it_is_digits(digits: Dataset) -> None:
    fashion = embedded("fashion_mnist")
    np.testing.assert_array_equal(fashion.train.inputs, digits.train.inputs)
    assert fashion.name == "fashion_mnist"
    assert "not clothes" in fashion.info.source
    assert fashion.info.class_names == tuple("0123456789")


def test_reviews_are_tokens_as_text_defines(reviews: Dataset) -> None:
    texts, labels = generate_reviews(12_000, 1)
    for split, part in ((reviews.train, slice(0, 9000)), (reviews.test, slice(9000, None))):
        tokens = split.inputs
        assert isinstance(tokens, Tokens)
        assert tokens.ids.dtype == np.uint16
        assert tokens.offsets.dtype == np.int64
        assert split.targets.dtype == np.int32
        np.testing.assert_array_equal(split.targets, labels[part])
        lengths = np.diff(tokens.offsets) - 1  # without the start
        assert lengths.min() >= 20
        assert lengths.max() <= 200
        assert len(tokens) == len(texts[part])
        first = tokens[0]
        assert isinstance(first, np.ndarray)
        known = set(reviews.info.vocabulary)
        words = [w if w in known else "<unknown>" for w in text.tokenize(texts[part][0])]
        assert text.decode(first, reviews.info.vocabulary) == " ".join(words)
    assert 5000 <= len(reviews.info.vocabulary) <= 10_000
    assert reviews.info.class_names == ("neg", "pos")
    assert reviews.info.embedded


@pytest.mark.parametrize("part", [slice(0, 9000), slice(0, 3600)])
def test_labels_are_balanced(reviews: Dataset, part: slice) -> None:
    counts = np.bincount(reviews.train.targets[part])
    assert counts[0] == counts[1]


def test_reviews_do_not_repeat(reviews: Dataset) -> None:
    train, test = sequences(reviews.train.inputs), sequences(reviews.test.inputs)
    assert not set(train) & set(test)
    assert len(set(train)) == len(train)


def test_a_bag_of_words_is_good_and_not_perfect(reviews: Dataset) -> None:
    model = LogisticRegression(C=0.1, max_iter=200)
    model.fit(multi_hot(reviews.train.inputs), reviews.train.targets)
    accuracy = model.score(multi_hot(reviews.test.inputs), reviews.test.targets)
    assert 0.85 <= accuracy <= 0.95


def test_one_label_s_texts_lean_its_way() -> None:
    texts, labels = generate_reviews(1000, 7)
    praised = [label for text, label in zip(texts, labels, strict=True) if "Go and see it." in text]
    assert len(praised) > 20
    assert np.mean(praised) > 0.8


def test_unknown_name_says_which_exist() -> None:
    with pytest.raises(ValueError, match=r"'cifar10'.*mnist, fashion_mnist, imdb_reviews"):
        embedded("cifar10")
