"""What `check` says of local derivatives that are one number, and of small errors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dl_jax import backprop
from dl_jax.backprop import check

NONE = "no simple explanation"


def square(x):
    return x**2, x


A3, B3 = (np.random.default_rng(3).normal(size=3) for _ in range(2))
SCALARS = {
    "the lecture's neuron": (
        lambda w, x: ((y := jax.nn.sigmoid(w @ x)), (w, x, y)),
        lambda r, d: (d * r[2] * r[1], d * r[2] * r[0]), (A3, B3 + 1),
        "the local derivative is missing: multiply by 1 - y with y = output",
    ),
    "one number": (
        backprop.tanh_fwd, lambda y, d: (d,), (0.3,), "multiply by 1 - y^2 with y = output",
    ),
    "norm": (
        lambda x: (jnp.sqrt((x**2).sum()), x), lambda x, d: (d * x,), (A3,),
        "a factor too many: y with y = output",
    ),
    "logarithm of a sum": (
        lambda x: (jax.nn.logsumexp(x), x), lambda x, d: (d * jnp.exp(x),), (A3,),
        "a factor too many: e^y with y = output",
    ),
    "temperature": (
        lambda x, t: (x / t, (x, t)), lambda r, d: (d, -(d * r[0]).sum() / r[1] ** 2), (A3, 0.7),
        "a factor too many: y with y = inputs[1]",
    ),
    "no explanation": (lambda x: ((x**2).sum() ** 0.3, x), lambda x, d: (d * x,), (A3,), NONE),
}  # fmt: skip


@pytest.mark.parametrize("name", SCALARS)
def test_a_local_derivative_that_is_one_number(name):
    forward, backward, inputs, text = SCALARS[name]
    assert text in str(check(forward, backward, *inputs).leaves[0].diagnosis)


def layer_norm(x):
    return (x - x.mean()) / jnp.sqrt(x.var() + 1e-5), x


def layer_norm_without_epsilon(x, d):
    size = jnp.sqrt(x.var())
    y = (x - x.mean()) / size
    return ((d - d.mean() - y * (d * y).mean()) / size,)


ROUNDED = "something on the way is rounded to float32"
SMALL = "a small error: an epsilon, a shortened constant, or float32 on the way"


@pytest.mark.parametrize(
    ("forward", "backward", "text"),
    [
        (layer_norm, layer_norm_without_epsilon, f"right to 4 digits: {SMALL}"),
        (
            lambda x: (x * jnp.pi, ()), lambda _, d: (d * 3.14159,),
            "0.9999991553 times what it should be: a shortened constant",
        ),
        (
            lambda x: (x.mean(0) * jnp.pi, ()),
            lambda _, d: (jnp.broadcast_to(d * 3.14159 / 6, (6,)),), SMALL,
        ),
        (square, lambda x, d: (2 * x * d.astype("float32").astype(d.dtype),), ROUNDED),
        (square, lambda x, d: ((2 * x**3 / x**2).astype("float32") * d,), ROUNDED),
        (backprop.tanh_fwd, lambda y, d: (d - d * y.astype("float32") ** 2,), ROUNDED),
        (square, lambda x, d: (2 * x * d * (1 + 1e-7 * x),), SMALL),
    ],
)  # fmt: skip
def test_small_errors(forward, backward, text):
    def promoted(residuals, d):
        return tuple(g.astype(d.dtype) for g in backward(residuals, d))

    x = np.random.default_rng(3).normal(size=6)
    leaf = check(forward, promoted, x).leaves[0]
    assert not leaf.passed
    assert text in str(leaf.diagnosis)
