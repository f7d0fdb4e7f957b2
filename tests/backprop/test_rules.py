"""Activations, losses and the single neuron: values that a pencil gets, too."""

import jax.numpy as jnp
import numpy as np
import pytest

from dl_jax import backprop as bp

LN2, LN3, LN4 = np.log(2), np.log(3), np.log(4)


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)


def test_the_sigmoid_is_steepest_at_zero_where_its_slope_is_a_quarter():
    y, way = bp.sigmoid_fwd(jnp.array([0.0, LN3, -LN3]))
    close(y, [1 / 2, 3 / 4, 1 / 4])
    close(bp.sigmoid_bwd(way, jnp.array([1.0, 1.0, 2.0]))[0], [1 / 4, 3 / 16, 6 / 16])


def test_tanh_of_ln_2_is_three_fifths_with_slope_16_25ths():
    y, way = bp.tanh_fwd(jnp.array([0.0, LN2]))
    close(y, [0, 3 / 5])
    close(bp.tanh_bwd(way, jnp.array([2.0, 1.0]))[0], [2, 16 / 25])


def test_tanh_is_two_sigmoids_of_twice_its_argument_less_one():
    close(bp.tanh_from_sigmoid(jnp.array([-LN2, 0.0, LN2])), [-3 / 5, 0, 3 / 5])


def test_relu_passes_back_what_it_passed_and_nothing_at_zero():
    y, way = bp.relu_fwd(jnp.array([-2.0, 0.0, 3.0]))
    assert y.tolist() == [0, 0, 3]
    assert bp.relu_bwd(way, jnp.array([5.0, 6.0, 7.0]))[0].tolist() == [0, 0, 7]


# z = [ln 1, ln 2, ln 3]: e^z = [1, 2, 3] of 6.
Z, Y = jnp.array([[0.0, LN2, LN3]]), jnp.array([[1 / 6, 1 / 3, 1 / 2]])
JACOBIAN = np.array([[5, -2, -3], [-2, 8, -6], [-3, -6, 9]]) / 36


def test_the_jacobian_of_a_softmax():
    close(bp.softmax_fwd(Z)[0], Y)
    close(bp.softmax_jacobian(Y), JACOBIAN[None])


@pytest.mark.parametrize("d_y", [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 10, 100]])
def test_softmaxs_gradient_is_its_jacobian_times_what_comes_back(d_y):
    (d_z,) = bp.softmax_bwd(Y, jnp.array([d_y], jnp.float32))
    close(d_z, [np.array(d_y) @ JACOBIAN])


def test_a_softmax_does_not_learn_from_what_all_its_outputs_share():
    close(bp.softmax_bwd(Y, jnp.full((1, 3), 5.0))[0], np.zeros((1, 3)))


def test_a_softmax_of_one_class_is_always_one_and_learns_nothing():
    y, way = bp.softmax_fwd(jnp.array([[-3.0], [5.0]]))
    assert y.tolist() == [[1], [1]]
    assert bp.softmax_bwd(way, jnp.array([[2.0], [7.0]]))[0].tolist() == [[0], [0]]
    assert bp.softmax_jacobian(y).tolist() == [[[0]], [[0]]]


def test_the_examples_of_a_softmax_do_not_touch():
    y = jnp.concatenate([Y, Y])
    (d_z,) = bp.softmax_bwd(y, jnp.array([[0.0, 0, 0], [1, 0, 0]]))
    close(d_z, [[0, 0, 0], JACOBIAN[0]])


def test_the_identity_passes_everything():
    y, way = bp.identity_fwd(Z)
    assert (y == Z).all()
    assert bp.identity_bwd(way, Y)[0] is Y


def test_half_the_squared_error_learns_the_error():
    # E = 1/2 (0 + 2^2); its derivative is -(t - y).
    E, way = bp.half_squared_error_fwd(jnp.array([1.0, 2.0]), jnp.array([1.0, 4.0]))
    assert float(E) == 2
    d_y, d_t = bp.half_squared_error_bwd(way, jnp.array(3.0))
    assert (d_y.tolist(), d_t.tolist()) == ([0, -6], [0, 6])


def test_the_mean_squared_error_is_a_mean_over_the_outputs_of_each_example():
    y, t = jnp.array([[1.0, 2.0], [0.0, 0.0]]), jnp.array([[1.0, 4.0], [3.0, -1.0]])
    E, way = bp.mean_squared_error_fwd(y, t)
    assert E.tolist() == [2, 5]
    d_y, d_t = bp.mean_squared_error_bwd(way, jnp.array([1.0, 2.0]))
    assert d_y.tolist() == [[0, -2], [-6, 2]]
    assert d_t.tolist() == [[0, 2], [6, -2]]


def test_the_binary_cross_entropy_of_a_quarter():
    # -log(1/4) with slope -1/y = -4, and -log(3/4) with slope 1/(1 - y) = 4/3.
    E, way = bp.binary_cross_entropy_fwd(jnp.array([0.25, 0.25]), jnp.array([1.0, 0.0]))
    close(E, [LN4, LN4 - LN3])
    d_y, d_t = bp.binary_cross_entropy_bwd(way, jnp.array([1.0, 3.0]))
    close(d_y, [-4, 4])
    close(d_t, [LN3, 3 * LN3])


def test_the_categorical_cross_entropy_of_a_half():
    E, way = bp.categorical_cross_entropy_fwd(Y, jnp.array([[0.0, 0.0, 1.0]]))
    close(E, [LN2])
    d_y, d_t = bp.categorical_cross_entropy_bwd(way, jnp.array([3.0]))
    close(d_y, [[0, 0, -6]])
    close(d_t, [[3 * np.log(6), 3 * LN3, 3 * LN2]])


def test_a_sigmoid_with_its_loss_learns_output_less_target():
    E, way = bp.sigmoid_binary_cross_entropy_fwd(jnp.array([0.0, LN3]), jnp.array([1.0, 0.0]))
    close(E, [LN2, LN4])
    d_z, d_t = bp.sigmoid_binary_cross_entropy_bwd(way, jnp.array([1.0, 2.0]))
    close(d_z, [-1 / 2, 2 * 3 / 4])
    close(d_t, [0, -2 * LN3])


@pytest.mark.parametrize("t", [[0.0, 0.0, 1.0], 2])
def test_a_softmax_with_its_loss_learns_output_less_target(t):
    E, way = bp.softmax_cross_entropy_fwd(Z, jnp.array([t]))
    close(E, [LN2])
    d_z, d_t = bp.softmax_cross_entropy_bwd(way, jnp.array([6.0]))
    close(d_z, [[1, 2, -3]])
    if t == 2:
        assert d_t is None
    else:
        close(d_t, [[6 * np.log(6), 6 * LN3, 6 * LN2]])


def test_the_fused_gradients_are_those_of_loss_and_activation_one_after_the_other():
    t, one = jnp.array([[0.0, 1.0, 0.0]]), jnp.ones(1)
    y, softmax = bp.softmax_fwd(Z)
    d_y, _ = bp.categorical_cross_entropy_bwd((y, t), one)
    fused, _ = bp.softmax_cross_entropy_bwd((Z, t), one)
    close(bp.softmax_bwd(softmax, d_y)[0], fused)
    y, sigmoid = bp.sigmoid_fwd(Z)
    d_y, _ = bp.binary_cross_entropy_bwd((y, t), jnp.ones((1, 3)))
    fused, _ = bp.sigmoid_binary_cross_entropy_bwd((y, Z, t), jnp.ones((1, 3)))
    close(bp.sigmoid_bwd(sigmoid, d_y)[0], fused)


def test_a_narrow_class_number_is_of_one_class_of_many():
    way = jnp.zeros((1, 300)), jnp.array([5], jnp.int8)
    d_z, _ = bp.softmax_cross_entropy_bwd(way, jnp.ones(1))
    assert jnp.flatnonzero(d_z[0] < 0).tolist() == [5]


def test_a_neuron_that_is_sure_and_wrong_still_learns():
    E, way = bp.sigmoid_binary_cross_entropy_fwd(jnp.array([1e3, -1e3]), jnp.array([0, 1]))
    assert E.tolist() == [1000, 1000]
    d_z, d_t = bp.sigmoid_binary_cross_entropy_bwd(way, jnp.ones(2))
    assert d_z.tolist() == [1, -1]
    assert d_t is None  # labels have no gradient
    E, way = bp.softmax_cross_entropy_fwd(jnp.array([[1e3, 0.0]]), jnp.array([1]))
    assert E.tolist() == [1000]
    assert bp.softmax_cross_entropy_bwd(way, jnp.ones(1))[0].tolist() == [[1, -1]]


def test_targets_that_do_not_sum_to_one():
    # E = -log y_1 - log y_2 has the slopes 2 y - t.
    _, way = bp.softmax_cross_entropy_fwd(Z, jnp.array([[1.0, 1.0, 0.0]]))
    close(bp.softmax_cross_entropy_bwd(way, jnp.ones(1))[0], [[-2 / 3, -1 / 3, 1]])


def test_a_probability_that_is_sure_and_right_has_no_loss():
    y, t = jnp.array([1.0, 0.0, 1.0]), jnp.array([1.0, 0.0, 0.0])
    E, way = bp.binary_cross_entropy_fwd(y, t)
    assert E.tolist() == [0, 0, np.inf]  # the last is wrong
    assert bp.binary_cross_entropy_bwd(way, jnp.ones(3))[0].tolist() == [-1, 1, np.inf]
    E, way = bp.categorical_cross_entropy_fwd(jnp.array([[1.0, 0.0]]), jnp.array([[1.0, 0.0]]))
    assert E.tolist() == [0]
    assert bp.categorical_cross_entropy_bwd(way, jnp.ones(1))[0].tolist() == [[-1, 0]]


def test_gradients_have_the_dtypes_of_their_inputs():
    z, t = jnp.zeros((2, 3), jnp.bfloat16), jnp.eye(3)[:2]
    for forward, backward in (
        bp.Pair(bp.sigmoid_binary_cross_entropy_fwd, bp.sigmoid_binary_cross_entropy_bwd),
        bp.MULTICLASS,
    ):
        E, way = forward(z, t)
        d_z, d_t = backward(way, jnp.ones_like(E))
        assert (d_z.dtype, d_t.dtype) == (jnp.bfloat16, jnp.float32)
        _, way = forward(z, t.astype(jnp.int32))
        assert backward(way, jnp.ones_like(E))[1] is None


def test_the_rows_of_the_lectures_table():
    E, way = bp.BINARY.forward(jnp.array([[0.0], [LN3]]), jnp.array([1, 0]))
    close(E, [LN2, LN4])
    d_z, _ = bp.BINARY.backward(way, jnp.ones(2))
    close(d_z, [[-1 / 2], [3 / 4]])
    E, way = bp.MULTILABEL.forward(jnp.array([[0.0, LN3]]), jnp.array([[1, 0]]))
    close(E, [(LN2 + LN4) / 2])
    close(bp.MULTILABEL.backward(way, jnp.ones(1))[0], [[-1 / 4, 3 / 8]])
    assert (bp.softmax_cross_entropy_fwd, bp.softmax_cross_entropy_bwd) == bp.MULTICLASS
    assert (bp.mean_squared_error_fwd, bp.mean_squared_error_bwd) == bp.REGRESSION


def test_the_perceptron_decides_by_the_side_of_its_line_and_for_plus_one_on_it():
    x = jnp.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
    assert bp.perceptron_decision(x, jnp.ones(2), jnp.array(-1.0)).tolist() == [-1, 1, 1]


def test_the_perceptron_moves_by_the_example_that_it_got_wrong():
    x, w, b = jnp.array([2.0, -4.0]), jnp.array([1.0, 0.0]), jnp.array(0.5)
    d_w, d_b = bp.perceptron_rule(x, jnp.array(-1), w, b, 0.25)
    assert (d_w.tolist(), float(d_b)) == ([-0.5, 1], -0.25)
    d_w, d_b = bp.perceptron_rule(x, jnp.array(1), -w, -b, 0.25)
    assert (d_w.tolist(), float(d_b)) == ([0.5, -1], 0.25)


def test_the_perceptron_stays_where_it_is_right():
    d_w, d_b = bp.perceptron_rule(
        jnp.array([2.0, -4.0]), jnp.array(1), jnp.ones(2), jnp.array(2.0), 0.25
    )
    assert (d_w.tolist(), float(d_b)) == ([0, 0], 0)


X = jnp.array([[1.0, 2.0], [3.0, 0.0]])


def test_the_delta_rule_of_a_linear_neuron():
    # y = [3, 3] and t - y = [1, 2]: 1 [1, 2] + 2 [3, 0] = [7, 2].
    delta = bp.linear_delta_rule(jnp.ones(2), X, jnp.array([4.0, 5.0]), 0.5)
    assert delta.tolist() == [3.5, 1]


def test_the_delta_rule_of_a_sigmoid_neuron():
    # y = 1/2 and y (1 - y) = 1/4: 1/4 (1/2 [1, 2] - 1/2 [3, 0]) = [-1/4, 1/4].
    delta = bp.sigmoid_delta_rule(jnp.zeros(2), X, jnp.array([1.0, 0.0]), 4.0)
    assert delta.tolist() == [-1, 1]
