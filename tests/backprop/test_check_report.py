"""The errors that `check` reports, and the table that shows them."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dl_jax import backprop
from dl_jax.backprop import check

RNG = np.random.default_rng(0)
Z = RNG.normal(size=(2, 3))
X, W, B = RNG.normal(size=(4, 3)), RNG.normal(size=(3, 2)), RNG.normal(size=2)
DENSE = backprop.dense_fwd


def square(x):
    return x**2, x


def test_a_derivative_that_forward_brings_itself():
    @jax.custom_jvp
    def cube(x):
        return x**3

    cube.defjvp(lambda primals, tangents: (primals[0] ** 3, 2 * primals[0] ** 2 * tangents[0]))
    right = check(lambda x: (cube(x), x), lambda x, d: (3 * x**2 * d,), Z).leaves[0]
    assert not right.passed
    assert str(right.diagnosis).startswith("right by differences, not by automatic differentiation")
    same = check(lambda x: (cube(x), x), lambda x, d: (2 * x**2 * d,), Z).leaves[0]
    assert not same.passed
    assert str(same.diagnosis).startswith("agrees with automatic differentiation, but differences")
    neither = check(lambda x: (cube(x), x), lambda x, d: (x**2 * d,), Z).leaves[0]
    assert str(neither.diagnosis).startswith("differences give another derivative")


def test_the_report_reads_as_a_table():
    text = str(
        check(DENSE, lambda r, d: (d @ r[1].T, r[0].T @ d / 4, d.mean(0)), X, W, B),
    )
    lines = text.splitlines()
    assert lines[0] == "1 of 3 gradients right"
    assert lines[2].split() == ["gradient", "by", "shape", "autodiff", "differences"]
    assert lines[3].startswith("inputs[0]")
    assert lines[3].endswith("right")
    assert lines[4].split()[:3] == ["inputs[1]", "(3,", "2)"]
    assert lines[4].endswith("WRONG")
    assert "1/4 times what it should be: a mean over axis 0 of output (n = 4)" in lines[5]


def test_the_table_fits_80_columns():
    deep = {"a_name_that_is_long": {"and_another_name_that_is": np.ones((1, 1, 1, 1, 1, 1, 2))}}
    report = check(
        lambda p: (jax.tree.leaves(p)[0], ()), lambda _, d: (jax.tree.map(lambda _: d, deep),), deep
    )
    assert report.passed
    assert max(map(len, str(report).splitlines())) <= 80


@pytest.mark.parametrize("scale", [1e-12, 1e-9, 1e9])
def test_errors_are_relative_however_small_the_gradient(scale):
    for factor, error in ((-1, 2), (0.5, 0.5)):
        leaf = check(lambda x: (scale * x, ()), lambda _, d, f=factor: (f * scale * d,), X).leaves[
            0
        ]
        assert not leaf.passed
        assert leaf.autodiff == pytest.approx(error)
        assert leaf.differences == pytest.approx(error, rel=1e-6)
    assert check(lambda x: (scale * x, ()), lambda _, d: (scale * d,), X).passed


def test_a_small_gradient_of_a_large_output():
    # Differences are all rounding there; automatic differentiation is not.
    right, wrong = (
        check(lambda x: (1e3 + 1e-10 * x, ()), lambda _, d, s=s: (s * 1e-10 * d,), X).leaves[0]
        for s in (1, -1)
    )
    assert right.passed
    assert wrong.autodiff == 2
    assert not wrong.passed
    assert wrong.diagnosis == "the sign is wrong: -1 times what it should be"


def test_a_gradient_that_is_nothing_but_rounding():
    def normalize(x):
        """The softmax of one class, but for roundings: its gradient is zero."""
        y = jnp.exp(x)
        return y / y.sum(-1, keepdims=True), y

    rounding = np.resize([1e-16, -2e-17], (4, 1))
    leaf = check(normalize, lambda _, d: (rounding * d,), X[:, :1]).leaves[0]
    assert leaf.passed
    assert leaf.autodiff < 1e-15
    assert leaf.diagnosis is None
    assert check(backprop.softmax_fwd, backprop.softmax_bwd, X[:, :1]).passed
    wrong = check(normalize, lambda _, d: (1e-9 * d,), X[:, :1]).leaves[0]
    assert not wrong.passed
    assert wrong.autodiff == pytest.approx(1)
    assert wrong.diagnosis == "it is not zero, where the right one is"


def test_a_normalisation_of_two_examples():
    # Always +-1, whose gradient is zero, but for roundings that are divided by the deviation.
    def normalize(x):
        deviation = x - x.mean(0, keepdims=True)
        size = jnp.sqrt((deviation**2).mean(0, keepdims=True))
        return deviation / size, (deviation / size, size)

    def backward(residuals, d):
        y, size = residuals
        return ((d - d.mean(0, keepdims=True) - y * (d * y).mean(0, keepdims=True)) / size,)

    assert check(normalize, backward, X).passed
    assert check(normalize, backward, X[:2]).passed
    assert check(normalize, backward, X[:2] / 10).passed


def test_a_bias_that_a_normalisation_takes_away():
    def centre(x, b):
        y = x + b[None]
        return y - y.mean(0)[None], ()

    def centre_bwd(_, d):
        d_x = d - d.mean(0)[None]
        return d_x, d_x.sum(0)

    assert check(centre, centre_bwd, X, X[0]).passed

    def normalize(x, b):
        z = x + b[None]
        size = z.std(0)
        y = (z - z.mean(0)[None]) / size[None]
        return y, (y, size)

    def backward(zero, residuals, d):
        y, size = residuals
        d_x = (d - d.mean(0)[None] - y * (d * y).mean(0)[None]) / size[None]
        return d_x, 0 * d[0] if zero else d_x.sum(0)

    for zero in (True, False):
        for scale in (1, 1e-2):  # where terms of 1/scale cancel
            assert check(normalize, partial(backward, zero), scale * X, X[0]).passed
    wrong = check(normalize, lambda r, d: (backward(True, r, d)[0], 1e-3 * d.sum(0)), X, X[0])
    assert [leaf.passed for leaf in wrong.leaves] == [True, False]


def test_a_scalar_bias_before_the_softmax():
    def backward(y, d):
        d_x = y * (d - (y * d).sum(-1, keepdims=True))
        return d_x, d_x.sum()

    def softmax(x, b):
        y = jax.nn.softmax(x + b)
        return y, y

    assert check(softmax, backward, X, 0.3).passed


def test_a_loss_that_is_as_good_as_zero():
    # Its gradient y - t is 4e-18, and 0 in double precision.
    loss = backprop.softmax_cross_entropy_fwd, backprop.softmax_cross_entropy_bwd
    assert check(*loss, np.array([[40.0, 0, -3]]), np.array([0])).passed
