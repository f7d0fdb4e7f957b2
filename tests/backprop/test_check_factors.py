"""What `check` says of factors that are missing, wrong or too many."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dl_jax import backprop
from dl_jax.backprop import check

NONE = "no simple explanation"
RNG = np.random.default_rng(0)
Z = RNG.normal(size=(2, 3))
X, W, B = RNG.normal(size=(4, 3)), RNG.normal(size=(3, 2)), RNG.normal(size=2)
LOGISTIC, DENSE = backprop.sigmoid_fwd, backprop.dense_fwd


def square(x):
    return x**2, x


def layer(x, w):
    """A dense layer with the sigmoid."""
    y = jax.nn.sigmoid(x @ w)
    return y, (x, w, y)


def norm(x, gain):
    """A gain for each channel, of the kind in a normalisation."""
    return x * gain[None, :], (x, gain)


def product(a, b):
    return a * b, (a, b)


def sum_of_squares(x):
    return (x**2).sum(), x


# name: (forward, backward, inputs, the diagnosis of each input; None where it is right)
FACTORS = {
    "sign": (square, lambda x, d: (-2 * x * d,), (Z,), ["the sign is wrong: -1 times"]),
    "a factor of two": (sum_of_squares, lambda x, d: (x * d,), (X,), ["1/2 times what it should"]),
    "mean over the batch": (
        DENSE, lambda r, d: (d @ r[1].T, r[0].T @ d / 4, d.mean(0)), (X, W, B),
        [None, *["1/4 times what it should be: a mean over axis 0 of output (n = 4)"] * 2],
    ),
    "sum for a mean": (
        lambda x: ((x**2).mean(-1), x), lambda x, d: (2 * x * d[:, None],), (Z,),
        ["3 times what it should be: a sum over axis 1 of inputs[0] (n = 3) for a mean"],
    ),
    "any constant": (square, lambda x, d: (2.3 * x * d,), (Z,), ["1.15 times what it should be"]),
    "1 - y is missing": (
        LOGISTIC, lambda y, d: (y * d,), (Z,),
        ["the local derivative is missing: multiply by 1 - y with y = output"],
    ),
    "y is missing": (
        LOGISTIC, lambda y, d: ((1 - y) * d,), (Z,), ["multiply by y with y = output"],
    ),
    "all of it is missing": (
        LOGISTIC, lambda y, d: (d,), (Z,), ["multiply by y (1 - y) with y = output"],
    ),
    "1 - y^2 is missing": (
        backprop.tanh_fwd, lambda y, d: (d,), (Z,), ["multiply by 1 - y^2 with y = output"],
    ),
    "local derivative twice": (
        LOGISTIC, lambda y, d: ((y * (1 - y)) ** 2 * d,), (Z,),
        ["a factor too many: y (1 - y) with y = output"],
    ),
    "sigmoid's for tanh's": (
        backprop.tanh_fwd, lambda y, d: (y * (1 - y) * d,), (Z,),
        ["y (1 - y) stands where 1 - y^2 is right, y = output"],
    ),
    "missing before the product": (
        layer, lambda r, d: (d @ r[1].T, r[0].T @ (d * r[2])), (X, W),
        [
            "right after dE/d(output) is multiplied by y (1 - y) with y = output: the local deriv",
            "right after dE/d(output) is multiplied by 1 - y with y = output: the local derivative",
        ],
    ),
    "twice before the product": (
        layer, lambda r, d: ((d * (r[2] * (1 - r[2])) ** 2) @ r[1].T, r[0].T @ (d * r[2])), (X, W),
        ["right after dE/d(output) is divided by y (1 - y) with y = output", "1 - y with"],
    ),
    "rounded": (
        square, lambda x, d: ((2 * x.astype("float32")).astype(d.dtype) * d,), (Z,),
        ["right to 7 digits: something on the way is rounded to float32"],
    ),
    "zero": (square, lambda x, d: (0 * d,), (Z,), ["it is zero: the gradient is missing"]),
    "not zero": (
        lambda x: (jnp.sign(x), ()), lambda _, d: (d,), (Z,), ["it is not zero, where the right"],
    ),
    "cubed, and noise": (square, lambda x, d: ((x**3 + 0.3 * x) * d,), (Z,), [NONE]),
    "softmax over the wrong axis": (
        backprop.softmax_fwd, lambda y, d: (y * (d - (y * d).sum(0, keepdims=True)),), (Z,), [NONE],
    ),
    "summed and shifted": (square, lambda x, d: (x * d + d.sum(),), (Z,), [NONE]),
}  # fmt: skip


@pytest.mark.parametrize("name", FACTORS)
def test_wrong_derivations_get_their_diagnosis(name):
    forward, backward, inputs, expected = FACTORS[name]
    leaves = check(forward, backward, *inputs).leaves
    for leaf, diagnosis in zip(leaves, expected, strict=True):
        if diagnosis is None:
            assert leaf.passed, leaf
            assert leaf.diagnosis is None
        elif diagnosis == NONE:
            assert not leaf.passed
            assert leaf.diagnosis == NONE
        else:
            assert not leaf.passed
            assert diagnosis in leaf.diagnosis


@pytest.mark.parametrize(
    ("forward", "shapes"),
    [
        (layer, [(2, 1), (1, 2)]),
        (norm, [(1, 2), (2,)]),
        (square, [()]),
        (lambda x: (3 * x, x), [()]),
        (sum_of_squares, [(2,)]),
        (lambda x: (x.sum(), x), [(2, 1)]),
        (product, [(1,), (1,)]),
    ],
)
def test_noise_is_not_explained(forward, shapes):
    rng = np.random.default_rng(1)
    inputs = [rng.normal(size=shape) for shape in shapes]
    d_size = int(np.prod(jax.eval_shape(forward, *inputs)[0].shape))
    noise = [rng.normal(size=(*shape, d_size)) for shape in shapes]
    report = check(forward, lambda _, d: tuple(m @ d.reshape(-1) for m in noise), *inputs)
    assert [leaf.diagnosis for leaf in report.leaves] == [NONE] * len(inputs)


def test_equal_values_do_not_make_an_explanation():
    # At x = 1 the gradient 2 x is twice 1; beside it, it is what is missing.
    leaf = check(square, lambda x, d: (d,), np.ones(3)).leaves[0]
    assert leaf.diagnosis == (
        "the local derivative is missing: multiply by y with y = inputs[0]; and 1/2 times what it "
        "should be"
    )


def test_equal_values_that_hide_a_mistake_are_noticed():
    # sigmoid(0) = 1/2, so that y (1 - y) and (1 - y)^2 are equal.
    report = check(LOGISTIC, lambda y, d: ((1 - y) ** 2 * d,), np.zeros(3))
    assert report.passed
    assert "right here, not at inputs beside these" in str(report)


def test_what_holds_only_for_such_inputs_says_so():
    # -(y - t) is right but for its sign where t sums to 1, as one-hot rows do.
    def backward(residuals, d_E):
        z, t = residuals
        y = jax.nn.softmax(z)
        return (t - y) * d_E[:, None], -jax.nn.log_softmax(z) * d_E[:, None]

    report = check(backprop.softmax_cross_entropy_fwd, backward, Z, np.eye(3)[:2])
    assert report.leaves[0].diagnosis == (
        "at these inputs, not beside them: the sign is wrong: -1 times what it should be"
    )
    assert report.leaves[1].passed


def constant(factor, inputs, forward, backward):
    """The diagnosis of a gradient that is a constant times the right one."""

    def wrong(residuals, d):
        return tuple(factor * g for g in backward(residuals, d))

    return str(check(forward, wrong, *inputs).leaves[0].diagnosis)


def test_a_size_is_no_proof_of_a_mean():
    # Dropout without its 1 / (1 - rate) = 4 = n: no axis is summed over.
    x = RNG.normal(size=(4, 3))
    diagnosis = constant(0.25, [x], lambda x: (4 * x, ()), lambda _, d: (4 * d,))
    assert diagnosis == ("1/4 times what it should be: a constant factor, as the 2 of a square?")


@pytest.mark.parametrize(
    ("factor", "text"),
    [
        (3**0.5, "1.73205 times what it should be: sqrt(3)"),
        (-(5**-0.5), "-0.447214 times what it should be: 1 / sqrt(5)"),
        (2.3, "23/10 times what it should be"),
    ],
)  # fmt: skip
def test_a_root_has_a_name(factor, text):
    assert text in constant(factor, [Z], square, lambda x, d: (2 * x * d,))


def test_the_power_of_a_cube_is_no_mean():
    x = RNG.normal(size=3)
    assert constant(1 / 3, [x], lambda x: (x**3, x), lambda x, d: (3 * x**2 * d,)) == (
        "1/3 times what it should be: a constant factor, as the 2 of a square?"
    )


def test_only_axes_that_are_summed_over_are_named():
    x = RNG.normal(size=(2, 4))
    diagnosis = constant(
        4, [x, np.ones(4)], lambda x, b: (x.mean(1), x),
        lambda x, d: (np.repeat(d[:, None] / 4, 4, 1), np.zeros(4)),
    )  # fmt: skip
    assert diagnosis == (
        "4 times what it should be: a sum over axis 1 of inputs[0] (n = 4) for a mean, or a "
        "constant factor, as the 2 of a square?"
    )
    square_batch = constant(
        1 / 3, [np.ones(3), RNG.normal(size=(3, 3))], lambda b, x: (x * b[None], (x, b)),
        lambda r, d: ((d * r[0]).sum(0), d * r[1][None]),
    )  # fmt: skip
    assert "a mean over axis 0 of output or axis 1 of output (n = 3) for a sum" in square_batch
    many = constant(1 / 2, [RNG.normal(size=(2, 2, 2))], lambda x: (x, x), lambda _, d: (d,))
    assert many == ("1/2 times what it should be: a constant factor, as the 2 of a square?")
