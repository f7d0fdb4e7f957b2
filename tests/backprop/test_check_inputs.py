"""Inputs, trees and functions of all kinds that `check` takes."""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.core import FrozenDict

from dl_jax.backprop import check

RNG = np.random.default_rng(0)
Z, P = RNG.normal(size=(2, 3)), RNG.normal(size=(2, 3))


def square(x):
    return x**2, x


def square_bwd(x, d):
    return (2 * x * d,)


class Couple(NamedTuple):
    """A tree."""

    a: Any
    b: Any


@jax.tree_util.register_dataclass
@dataclass
class Parameters:
    """Another one."""

    a: Any
    b: Any


@pytest.mark.parametrize(
    "x",
    [
        2.0, np.float32(2), np.float64(-1), np.array(3.0), jnp.ones(()), jnp.asarray(Z),
        jnp.asarray(Z, jnp.bfloat16), Z.astype(np.float16), np.asfortranarray(Z),
    ],
    ids=lambda x: f"{type(x).__name__} {getattr(x, 'dtype', '')}",
)  # fmt: skip
def test_numbers(x):
    report = check(square, square_bwd, x)
    assert report.passed
    assert report.leaves[0].shape == np.shape(x)


def test_integers_have_no_gradient():
    def backward(residuals, d):
        x, n = residuals
        return n * x ** (n - 1) * d, None

    assert check(lambda x, n: (x**n, (x, n)), backward, 2.0, 3).passed


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (lambda a, b: [a, b], ["[0]", "[1]"]),
        (lambda a, b: (a, b), ["[0]", "[1]"]),
        (lambda a, b: {"a": a, "b": b}, ["['a']", "['b']"]),
        (lambda a, b: FrozenDict(a=a, b=b), ["['a']", "['b']"]),
        (Couple, [".a", ".b"]),
        (Parameters, [".a", ".b"]),
    ],
    ids=["list", "tuple", "dict", "FrozenDict", "NamedTuple", "dataclass"],
)
def test_trees(make, names):
    def forward(tree):
        a, b = jax.tree.leaves(tree)
        return make(a * b, a), (a, b)

    def backward(residuals, d):
        (a, b), (d_product, d_a) = residuals, jax.tree.leaves(d)
        return (make(b * d_product + d_a, -a * d_product),)

    leaves = check(forward, backward, make(Z, P)).leaves
    assert [leaf.name for leaf in leaves] == [f"inputs[0]{name}" for name in names]
    assert [leaf.passed for leaf in leaves] == [True, False]
    assert str(leaves[1].diagnosis).startswith("the sign is wrong")


def test_the_functions_of_a_custom_vjp():
    @partial(jax.custom_vjp, nondiff_argnums=(1,))
    def power(x, n):
        return x**n

    def power_fwd(x, n):
        return power(x, n), (x, None)

    def power_bwd(n, residuals, d):
        return (n * residuals[0] ** (n - 1) * d,)

    power.defvjp(power_fwd, power_bwd)
    assert check(partial(power_fwd, n=3), partial(power_bwd, 3), Z).passed


def test_residuals_that_are_no_arrays():
    wrong = check(
        lambda x: (x**3, (x, "cube", 3, None, jnp.sin)), lambda r, d: (r[2] * r[0] * d,), Z
    ).leaves[0]
    assert wrong.diagnosis == "the local derivative is missing: multiply by y with y = inputs[0]"


def test_compiled_functions():
    assert check(jax.jit(square), jax.jit(square_bwd), Z).passed
    assert not check(jax.jit(square), jax.jit(lambda x, d: (x * d,)), Z).passed


@pytest.mark.parametrize("key", [jax.random.key, jax.random.PRNGKey])
def test_what_is_random_takes_a_key(key):
    def forward(x, key, *, rate):
        keep = jax.random.bernoulli(key, 1 - rate, x.shape)
        return x * keep, keep

    backward = partial(lambda keep, d, *, by: (d * keep / by, None), by=1)
    assert check(partial(forward, rate=0.5), backward, Z, key(1)).passed


def test_what_forward_does_besides():
    seen = []

    def forward(x):
        seen.append(x.shape)
        return x**2, x

    assert check(forward, square_bwd, Z).passed
    assert set(seen) == {(2, 3)}


def test_a_backward_in_numpy():
    assert check(square, lambda x, d: (2 * np.asarray(x) * np.asarray(d),), Z).passed


def test_the_inputs_stay_as_they_are():
    # JAX remembers an array that a compiled function closes over, in the precision it had there.
    x = Z.copy()
    assert check(square, square_bwd, x).passed
    np.testing.assert_array_equal(x, Z)
    assert jnp.asarray(x).dtype == jnp.float32


def test_many_parameters():
    # More than are evaluated as one batch.
    x, w = RNG.normal(size=(2, 200)), RNG.normal(size=(200, 200))

    def backward(residuals, d):
        x, w = residuals
        return d @ w.T, (x.T @ d).at[7, 9].multiply(1.5)

    report = check(lambda x, w: (x @ w, (x, w)), backward, x, w)
    assert [leaf.passed for leaf in report.leaves] == [True, False]
    assert report.leaves[1].diagnosis == "right at 39999 of 40000 entries, wrong at (7, 9)"
