"""What `check` accepts: right derivations, of inputs of all kinds."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dl_jax import backprop
from dl_jax.backprop import check

RNG = np.random.default_rng(0)
Z, T = RNG.normal(size=(2, 3)), RNG.dirichlet(np.full(3, 5.0), 2)
P = RNG.dirichlet(np.full(3, 5.0), 2)
X, W, B = RNG.normal(size=(4, 3)), RNG.normal(size=(3, 2)), RNG.normal(size=2)
SQUARE, SIDE = RNG.normal(size=(3, 3)), RNG.normal(size=3)
IMAGE, KERNEL = RNG.normal(size=(1, 4, 4, 2)), RNG.normal(size=(2, 2, 2, 2))
DISTINCT = RNG.permutation(32).reshape(1, 4, 4, 2) / 10.0
POOL = {"window": (2, 2), "strides": (2, 2)}

RIGHT = {
    "sigmoid": ({}, Z),
    "tanh": ({}, Z),
    "relu": ({}, Z),
    "softmax": ({}, Z),
    "identity": ({}, Z),
    "half_squared_error": ({}, Z, T),
    "mean_squared_error": ({}, Z, T),
    "binary_cross_entropy": ({}, P, T),
    "categorical_cross_entropy": ({}, P, T),
    "sigmoid_binary_cross_entropy": ({}, Z, T),
    "softmax_cross_entropy": ({}, Z, np.array([2, 0])),
    "dense": ({}, X, W, B),
    "flatten": ({}, IMAGE),
    "dropout": ({}, Z, jax.random.key(1)),
    "bag_of_words": ({}, np.array([[1, 3], [3, 0], [2, 1]]), X),
    "conv": ({}, IMAGE, KERNEL, B),
    "conv_relu_max_pool": ({}, IMAGE, KERNEL, B),
    "max_pool": (POOL, DISTINCT),
    "avg_pool": (POOL, IMAGE),
}


def square(x):
    return x**2, x


def test_every_rule_of_the_project_is_here():
    assert {f"{name}_fwd" for name in RIGHT} == {n for n in backprop.__all__ if n.endswith("_fwd")}


@pytest.mark.parametrize("name", RIGHT)
def test_right_derivations_pass_with_nothing_to_say(name):
    options, *inputs = RIGHT[name]
    forward_options = {"rate": 0.25} if name == "dropout" else options
    forward = partial(getattr(backprop, f"{name}_fwd"), **forward_options)
    report = check(forward, partial(getattr(backprop, f"{name}_bwd"), **options), *inputs)
    assert report.passed
    assert all(leaf.diagnosis is None for leaf in report.leaves)
    for leaf in report.leaves:
        assert leaf.autodiff < 1e-13
        assert leaf.differences is not None
        assert leaf.differences < 1e-8


def test_trees_keys_and_integers():
    def forward(params, ids, key, scale):
        """Inputs of all kinds, and two outputs, of which one are integers."""
        y = params["embed"][ids] @ params["kernel"] * scale
        out = {"y": y, "norm": (params["bias"] ** 2).sum(), "best": y.argmax(-1)}
        return out, (params, ids, y, scale)

    def backward(residuals, d):
        params, ids, y, scale = residuals
        rows = params["embed"][ids]
        d_z = d["y"] * scale
        d_params = {
            "embed": jnp.zeros_like(params["embed"]).at[ids].add(d_z @ params["kernel"].T),
            "kernel": d_z.T @ rows,
            "bias": 2 * params["bias"] * d["norm"],
            "steps": None,
        }
        return d_params, None, None, (d["y"] * y).sum() / scale

    params = {"embed": X, "kernel": SQUARE, "bias": B, "steps": np.arange(2)}
    report = check(forward, backward, params, np.array([0, 3, 3]), jax.random.key(0), 0.5)
    found = {leaf.name: (leaf.shape, leaf.passed, leaf.diagnosis) for leaf in report.leaves}
    assert found == {
        "inputs[0]['bias']": ((2,), True, None),
        "inputs[0]['embed']": ((4, 3), True, None),
        "inputs[0]['kernel']": ((3, 3), False, "transposed"),
        "inputs[3]": ((), True, None),
    }


def test_none_where_the_gradient_is_zero_is_accepted():
    assert check(lambda x, y: (x, ()), lambda _, d: (d, None), Z, {"a": Z, "b": [Z]}).passed


def test_values_that_forward_looks_at():
    def forward(x):
        return (x**2, x) if float(x[0, 0]) ** 2 > 0 else (x, x)

    assert jnp.ones(1).dtype == jnp.float32
    with pytest.raises(jax.errors.ConcretizationTypeError):
        jax.jit(forward)(Z)
    assert check(
        lambda x: (x**2, x) if x[0, 0] > -9 else (x, x), lambda x, d: (2 * x * d,), Z
    ).passed


def test_a_single_precision_configuration_stays_as_it_is():
    assert check(backprop.dense_fwd, backprop.dense_bwd, *(np.float32(a) for a in (X, W, B))).passed
    assert jnp.asarray(Z).dtype == jnp.float32


def test_small_probabilities_whose_logarithm_bends_fast():
    y = np.array([[1e-3, 0.999 - 1e-6, 1e-6]])
    rule = backprop.categorical_cross_entropy_fwd, backprop.categorical_cross_entropy_bwd
    report = check(*rule, y, np.eye(3)[2:])
    assert report.passed, report
