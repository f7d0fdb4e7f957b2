"""Batch normalisation against the paper's formula and Flax's layer, and all of its derivatives."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from dl_jax import ops
from dl_jax.models.layers import BatchNorm

EPSILON = 1e-3


def by_the_paper(x, scale, bias):
    """Algorithm 1, as it is printed; and mean and variance."""
    axes = range(x.ndim - 1)
    mean, var = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    scale, bias = (jnp.expand_dims(a, axes) for a in (scale, bias))
    y = scale * (x - mean) / jnp.sqrt(var + EPSILON) + bias
    return y, mean.ravel(), var.ravel()


def ours(x, scale, bias):
    return ops.batch_norm(x, scale, bias, EPSILON)


def arguments(dtype, shape=(4, 3, 2, 5)):
    x, scale, bias = (
        jax.random.normal(key, size, dtype)
        for key, size in zip(
            jax.random.split(jax.random.key(0), 3), (shape, (5,), (5,)), strict=True
        )
    )
    return 2 * x + 3, scale, bias


@pytest.fixture
def float64():
    with jax.enable_x64(True):
        yield


def test_the_papers_algorithm(float64):
    values = arguments(jnp.float64)
    # The mean of the squares less the square of the mean, of values of about 4: digits of one.
    chex.assert_trees_all_close(ours(*values), by_the_paper(*values), rtol=0, atol=100 * 2**-52)


@pytest.mark.parametrize("which", [0, 1, 2])
def test_every_derivative_is_that_of_the_papers_algorithm(which, float64):
    values = arguments(jnp.float64)

    def loss(function):
        def of(one):
            y, mean, var = function(*(one if i == which else v for i, v in enumerate(values)))
            return jnp.sin(y).sum() + (y.sum(range(3)) * mean).sum() + jnp.cos(var).sum()

        return of

    one = values[which]
    for derivative in (jax.grad, jax.jacfwd, jax.hessian, lambda f: jax.grad(lambda a: f(a) ** 2)):
        got, expected = (derivative(loss(f))(one) for f in (ours, by_the_paper))
        scale = float(jnp.abs(expected).max())
        # Sums of 24 and of 120 terms, each of which cancels as the variance does.
        np.testing.assert_allclose(got, expected, rtol=0, atol=3e4 * 2**-52 * max(scale, 1))


def test_it_composes_with_jit_vmap_and_scan(float64):
    xs, scale, bias = arguments(jnp.float64, (3, 4, 2, 2, 5))
    alone = jnp.stack([ours(x, scale, bias)[0] for x in xs])
    for together in (
        jax.jit(jax.vmap(lambda x: ours(x, scale, bias)[0])),
        lambda xs: jax.lax.scan(lambda c, x: (c, ours(x, scale, bias)[0]), 0, xs)[1],
    ):
        np.testing.assert_allclose(together(xs), alone, rtol=0, atol=100 * 2**-52)


def test_the_gradient_goes_over_the_images_twice(key):
    """Two sums and one array of their size: what automatic differentiation adds to is gone."""
    x, scale, bias = arguments(jnp.float32)
    _, back = jax.vjp(ours, x, scale, bias)
    program = jax.make_jaxpr(back)((x, scale, scale))
    sums = [e for e in program.eqns if e.primitive.name == "reduce_sum"]
    assert len([e for e in sums if e.invars[0].aval.shape == x.shape]) == 2


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize("train", [True, False])
def test_the_layer_is_flaxs(dtype, train):
    x, scale, bias = arguments(dtype)
    variables = {
        "params": {"scale": scale, "bias": bias},
        "batch_stats": {"mean": jnp.arange(5.0), "var": jnp.arange(1.0, 6.0)},
    }
    theirs = nn.BatchNorm(not train, momentum=0.8, epsilon=EPSILON)
    mine = BatchNorm(momentum=0.8, epsilon=EPSILON)
    created = mine.init(jax.random.key(0), x, train=train)
    chex.assert_trees_all_equal(created, theirs.init(jax.random.key(0), x))
    expected, their_stats = theirs.apply(variables, x, mutable=["batch_stats"])
    got, my_stats = mine.apply(variables, x, train=train, mutable=["batch_stats"])
    assert got.dtype == expected.dtype == dtype
    chex.assert_trees_all_equal_dtypes(my_stats, their_stats)
    # Values of up to 20, rounded once more where they are bfloat16.
    eps = float(jnp.finfo(dtype).eps)
    np.testing.assert_allclose(
        got.astype(jnp.float32), expected.astype(jnp.float32), rtol=2 * eps, atol=40 * 2**-23
    )
    chex.assert_trees_all_close(my_stats, their_stats, rtol=1e-6)


@pytest.mark.parametrize("ratio", [0, 10, 100])
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_narrow_gradients_round_once(dtype, ratio, float64):
    """However far the mean is from 0: what cancels then is added up before it rounds."""
    one, other = jax.random.split(jax.random.key(1))
    x = (ratio + jax.random.normal(one, (512, 5), jnp.float64)).astype(dtype)
    wide = x.astype(jnp.float64)
    cotangent = (0.5 + jax.random.normal(other, x.shape) + 0.5 * (wide - ratio)).astype(dtype)
    scale, bias = jnp.ones(5, dtype), jnp.zeros(5, dtype)

    def gradient(function, *values):
        return jax.grad(lambda x: (function(x, *values[1:])[0] * values[0]).sum())

    got = gradient(ours, cotangent, scale, bias)(x)
    expected = gradient(by_the_paper, *(a.astype(jnp.float64) for a in (cotangent, scale, bias)))
    error = got.astype(jnp.float64) - expected(wide)
    # Each number rounds once, the cotangent of y before; float32 sums lose ratio^2 of their digits.
    eps = float(jnp.finfo(dtype).eps) + 100 * (1 + ratio**2) * 2**-23
    assert jnp.sqrt((error**2).mean()) < eps * jnp.sqrt((expected(wide) ** 2).mean())


def test_the_layer_stays_in_float32_with_float64_switched_on(float64):
    x = jnp.arange(12, dtype=jnp.float32).reshape(4, 3)
    y, variables = BatchNorm().init_with_output(jax.random.key(0), x, train=True)
    assert {str(a.dtype) for a in jax.tree.leaves((y, variables))} == {"float32"}


def test_values_that_are_all_the_same_are_the_bias(key):
    x = jnp.full((7, 5), 1000.0)  # the mean of their squares rounds to less than their mean's
    y, _, var = ops.batch_norm(x, jnp.ones(5), jnp.arange(5.0))
    assert (var >= 0).all()
    np.testing.assert_allclose(y, jnp.tile(jnp.arange(5.0), (7, 1)), atol=0.2)
