"""Losses by hand, and the lecture's table."""

import doctest
import math

import jax.numpy as jnp
import numpy as np
import pytest

from dl_jax import losses
from dl_jax.losses import BINARY, MULTICLASS, MULTILABEL, REGRESSION


def test_the_docstrings_examples():
    assert doctest.testmod(losses) == (0, 3)


def test_mean_squared_error_averages_over_outputs_alone():
    y, t = jnp.array([[1.0, 2.0], [0.0, 0.0]]), jnp.array([[3.0, 2.0], [0.0, 2.0]])
    assert losses.mean_squared_error(y, t).tolist() == [2, 2]


def test_cross_entropies_of_a_network_that_knows_nothing():
    labels = jnp.arange(5)
    np.testing.assert_allclose(MULTICLASS.loss(jnp.zeros((5, 10)), labels), math.log(10), rtol=1e-6)
    np.testing.assert_allclose(
        BINARY.loss(jnp.zeros((2, 1)), jnp.array([0, 1])), math.log(2), rtol=1e-6
    )


def test_integer_labels_and_one_hot_rows_are_one_loss():
    logits = jnp.array([[1.0, 2.0, 3.0], [0.5, 0.0, -1.0]])
    by_number = losses.categorical_cross_entropy(logits, jnp.array([2, 0]))
    by_row = losses.categorical_cross_entropy(logits, jnp.array([[0.0, 0, 1], [1, 0, 0]]))
    np.testing.assert_allclose(by_number, by_row, rtol=1e-6)


def test_numbers_of_a_narrow_type_are_of_one_class_of_many():
    logits = jnp.zeros((2, 300))
    E = losses.categorical_cross_entropy(logits, jnp.array([5, 127], jnp.int8))
    np.testing.assert_allclose(E, math.log(300), rtol=1e-6)


def test_a_class_number_out_of_range_gives_nan():
    E = losses.categorical_cross_entropy(jnp.zeros((3, 4)), jnp.array([-1, 3, 4]))
    np.testing.assert_array_equal(jnp.isnan(E), [True, False, True])


def test_a_sure_and_right_network_still_has_a_loss():
    E = losses.binary_cross_entropy(jnp.array([20.0, -20.0]), jnp.array([1, 0]))
    # log(1 + e^-20) is e^-20 to the last digit of float32.
    assert E.tolist() == pytest.approx([np.exp(-20)] * 2, rel=1e-6)


@pytest.mark.parametrize("logit", [-1000.0, 1000.0])
def test_binary_cross_entropy_of_a_sure_network_is_finite(logit):
    right, wrong = losses.binary_cross_entropy(
        jnp.full(2, logit), jnp.array([logit > 0, logit < 0]).astype(jnp.int32)
    )
    assert (float(right), float(wrong)) == (0, 1000)


def test_the_table():
    z = jnp.array([[2.0], [-2.0]])
    assert BINARY.predict(z).tolist() == [1, 0]
    assert BINARY.metrics(z, jnp.array([1, 1]))["accuracy"].tolist() == [1, 0]
    z = jnp.array([[0.0, 3.0, -1.0]])
    assert MULTICLASS.predict(z).tolist() == [1]
    assert MULTICLASS.activation(z).sum() == pytest.approx(1)
    assert MULTILABEL.predict(z).tolist() == [[1, 1, 0]]
    assert MULTILABEL.metrics(z, jnp.array([[1, 1, 1]]))["accuracy"].tolist() == pytest.approx(
        [2 / 3]
    )
    assert MULTILABEL.loss(z, jnp.array([[1, 1, 0]])).shape == (1,)
    assert REGRESSION.predict(z) is z
    assert REGRESSION.loss(z, z + 2).tolist() == [4]
    assert REGRESSION.metrics(z, z - 2)["mean_absolute_error"].tolist() == [2]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: losses.half_squared_error(jnp.zeros(2), jnp.zeros(3)), r"got \(2,\) and \(3,\)"),
        (
            lambda: losses.categorical_cross_entropy(jnp.zeros((2, 3)), jnp.zeros((3,), int)),
            r"expected integer labels \(2,\) or one-hot labels \(2, 3\)",
        ),
        (lambda: BINARY.loss(jnp.zeros((2, 3)), jnp.zeros(2, int)), r"\[n, 1\], got \(2, 3\)"),
    ],
)
def test_shapes_that_do_not_fit(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_one_hot_targets_have_the_accuracy_of_their_numbers():
    logits = 5 * jnp.eye(3)
    assert MULTICLASS.metrics(logits, jnp.eye(3))["accuracy"].tolist() == [1, 1, 1]
    assert MULTICLASS.metrics(logits, jnp.array([0, 1, 1]))["accuracy"].tolist() == [1, 1, 0]
    with pytest.raises(ValueError, match=r"accuracy.*\(3,\) and \(2,\)"):
        MULTICLASS.metrics(logits, jnp.array([0, 1]))
