"""Activations, dropout and the bag of words."""

import doctest

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dl_jax import ops
from dl_jax.ops import activations


def test_the_docstrings_examples():
    assert doctest.testmod(activations) == (0, 2)


def test_activations_by_hand():
    assert float(ops.relu(jnp.array(-2.0))) == 0
    assert float(ops.sigmoid(jnp.array(-1000.0))) == 0
    np.testing.assert_allclose(ops.softmax(jnp.array([0.0, jnp.log(3.0)])), [0.25, 0.75], rtol=1e-6)
    z = jnp.linspace(-3, 3, 7)
    np.testing.assert_allclose(ops.tanh(z), 2 * ops.sigmoid(2 * z) - 1, atol=1e-6)


def test_softmax_of_large_numbers_is_finite():
    assert ops.softmax(jnp.array([1000.0, 0.0])).tolist() == [1, 0]


def test_dropout_keeps_the_expectation_and_drops_its_share(key):
    y = ops.dropout(jnp.ones((1000, 101)), 0.25, key)
    assert set(np.unique(y)) == {0, np.float32(4 / 3)}
    # 101,000 independent values: the mean's standard deviation is sqrt(1/3 / 101000) = 0.0018.
    assert float(y.mean()) == pytest.approx(1, abs=4 * 0.0018)


def test_dropout_is_a_function_of_its_key(key):
    x = jnp.ones((8, 8))
    assert jnp.array_equal(ops.dropout(x, 0.5, key), ops.dropout(x, 0.5, key))
    assert not jnp.array_equal(ops.dropout(x, 0.5, key), ops.dropout(x, 0.5, jax.random.key(1)))


def test_a_small_rate_still_drops(key):
    assert 0 < int((ops.dropout(jnp.ones(10_000), 0.001, key) == 0).sum()) < 100
    assert jnp.array_equal(ops.dropout(jnp.ones(9), 0.0, key), jnp.ones(9))


def test_dropout_refuses_to_drop_everything(key):
    with pytest.raises(ValueError, match=r"rate in \[0, 1\), got 1"):
        ops.dropout(jnp.ones(3), 1.0, key)


IDS = jnp.array([[1, 3, 0, 0], [2, 3, 4, 5], [0, 0, 0, 0]])


def test_the_bag_of_words_adds_the_rows_of_the_words():
    kernel = jnp.array([[9.0], [1.0], [10.0], [100.0], [1000.0], [10000.0]])
    assert ops.bag_of_words(IDS, kernel)[:, 0].tolist() == [101, 11110, 0]


def test_ids_that_are_no_words_add_nothing():
    kernel = jnp.array([[9.0], [1.0], [10.0]])
    assert ops.bag_of_words(jnp.array([[1, 3, -1]]), kernel).tolist() == [[1]]


def test_the_bag_of_words_is_the_multi_hot_product(key):
    kernel = jax.random.normal(key, (6, 3))

    def energy(layer):
        return jax.value_and_grad(lambda kernel: jnp.sum(jnp.sin(layer(kernel))))(kernel)

    by_rows = energy(lambda kernel: ops.bag_of_words(IDS, kernel))
    by_product = energy(lambda kernel: ops.multi_hot(IDS, 6) @ kernel)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6), by_rows, by_product
    )


def test_multi_hot_is_the_slides_matrix():
    assert ops.multi_hot(IDS, 6).tolist() == [[0, 1, 0, 1, 0, 0], [0, 0, 1, 1, 1, 1], [0] * 6]
