"""Each pair is a function and its gradient to JAX, too, and none has its gradient from JAX."""

import ast
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from dl_jax import backprop as bp

ROOT = Path(bp.__file__).parent


def floats(*shapes):
    rng = np.random.default_rng(0)
    return tuple(jnp.asarray(rng.standard_normal((2, *shape)), jnp.float32) for shape in shapes)


def targets(*shape):
    return (jax.nn.softmax(floats(shape)[0]),)


SIGNS = jnp.array([[[1, 0]], [[0, 1]]])
CONV = {"strides": (2, 1), "padding": "SAME", "dilation": (1, 2)}
POOL = {"window": (2, 2), "strides": (1, 2), "padding": ((1, 0), (0, 1))}
CONV_INPUTS, MAPS = floats((2, 4, 4, 2), (3, 2, 2, 3), (3,)), floats((2, 4, 4, 2))
KEYS, IDS = jax.random.split(jax.random.key(0), 2), jnp.array([[[1, 2, 0]], [[2, 4, 0]]])
PAIRS = {
    # name: (settings, inputs; of two examples of a batch, for vmap and scan)
    "sigmoid": ({}, floats((2, 3))),
    "tanh": ({}, floats((2, 3))),
    "relu": ({}, floats((2, 3))),
    "softmax": ({}, floats((2, 3))),
    "identity": ({}, floats((2, 3))),
    "half_squared_error": ({}, floats((2, 3), (2, 3))),
    "mean_squared_error": ({}, floats((2, 3), (2, 3))),
    "binary_cross_entropy": ({}, targets(2, 3) + targets(2, 3)),
    "categorical_cross_entropy": ({}, targets(2, 3) + targets(2, 3)),
    "sigmoid_binary_cross_entropy": ({}, floats((2, 3)) + targets(2, 3)),
    "softmax_cross_entropy": ({}, floats((2, 3)) + targets(2, 3)),
    "dense": ({}, floats((2, 3), (3, 4), (4,))),
    "flatten": ({}, floats((2, 3, 2))),
    "dropout": ({"rate": 0.5}, (*floats((4, 4)), KEYS)),
    "bag_of_words": ({}, (IDS, *floats((4, 3)))),
    "conv": (CONV, CONV_INPUTS),
    "conv_relu_max_pool": ({}, CONV_INPUTS),
    "max_pool": (POOL, MAPS),
    "avg_pool": (POOL, MAPS),
}


def test_every_pair_of_the_package_is_here():
    forwards = {name[:-4] for name in bp.__all__ if name.endswith("_fwd")}
    assert forwards == {name[:-4] for name in bp.__all__ if name.endswith("_bwd")} == set(PAIRS)


def check_in_every_transformation(forward, backward, inputs):
    """Compare with automatic differentiation of the forward half."""

    def plain(*inputs):
        return forward(*inputs)[0]

    by_hand = jax.custom_vjp(plain)
    by_hand.defvjp(forward, backward)
    moves = tuple(i for i, x in enumerate(inputs) if jnp.issubdtype(x.dtype, jnp.floating))

    def energy(f):
        def of_output(*inputs):
            y = f(*inputs)
            return jnp.sum(jnp.cos(jnp.arange(y.size, dtype=y.dtype)).reshape(y.shape) * y)

        return of_output

    def scanned(*inputs):
        def body(total, one):
            return total + energy(by_hand)(*one), None

        return lax.scan(body, jnp.zeros(()), inputs)[0]

    def all_of_them(*inputs):
        first = tuple(x[0] for x in inputs)
        right = jax.vmap(jax.grad(energy(plain), moves))(*inputs)
        return (
            (jax.grad(energy(by_hand), moves)(*first), jax.tree.map(lambda g: g[0], right)),
            (jax.vmap(jax.grad(energy(by_hand), moves))(*inputs), right),
            (jax.grad(scanned, moves)(*inputs), right),
            (by_hand(*first), plain(*first)),
        )

    for found, right in jax.jit(all_of_them)(*inputs):
        for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(right), strict=True):
            # Sums of at most 2 * 4 * 4 terms of order 1 to 10.
            np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("name", PAIRS)
def test_a_pair_is_a_custom_vjp_under_jit_grad_vmap_and_scan(name):
    settings, inputs = PAIRS[name]
    forward = partial(getattr(bp, f"{name}_fwd"), **settings)
    settings = {} if name == "dropout" else settings
    check_in_every_transformation(forward, partial(getattr(bp, f"{name}_bwd"), **settings), inputs)


@pytest.mark.parametrize(
    ("pair", "inputs"),
    [
        (bp.BINARY, (*floats((2, 1)), SIGNS[:, 0])),
        (bp.MULTICLASS, (*floats((2, 3)), SIGNS[:, 0])),
        (bp.MULTILABEL, (*floats((1, 2)), SIGNS)),
        (bp.REGRESSION, floats((2, 3), (2, 3))),
    ],
    ids=["BINARY", "MULTICLASS", "MULTILABEL", "REGRESSION"],
)
def test_a_row_of_the_table_is_one_with_labels(pair, inputs):
    check_in_every_transformation(pair.forward, pair.backward, inputs)


AUTODIFF = {
    "ad", "checkpoint", "custom_gradient", "custom_jvp", "custom_vjp", "grad", "hessian",
    "jacfwd", "jacobian", "jacrev", "jvp", "linear_transpose", "linearize", "value_and_grad", "vjp",
}  # fmt: skip


def autodiff_in(source):
    """The names of JAX's automatic differentiation that a program reads or imports."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            found.add(node.attr)
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] != "dl_jax":
            found |= {name.name for name in node.names}
    return found & AUTODIFF


def test_the_derivations_contain_no_automatic_differentiation():
    modules = {getattr(bp, name).__module__ for name in bp.__all__ if name[-4:] in ("_fwd", "_bwd")}
    files = {name.split(".")[-1] for name in modules} | {"neurons", "networks"}
    names = ("activations", "images", "layers", "losses", "networks", "neurons", "tiles")
    assert files == set(names)
    used = {name: autodiff_in((ROOT / f"{name}.py").read_text()) for name in files}
    assert used == {name: set() for name in files}
    assert "vjp" in autodiff_in((ROOT / "proof/prove.py").read_text())


def test_the_networks_gradients_are_made_without_automatic_differentiation(monkeypatch):
    def forbidden(*args, **kwargs):
        raise AssertionError("automatic differentiation in a hand derivation")

    for name in AUTODIFF & set(dir(jax)) - {"checkpoint"}:
        monkeypatch.setattr(jax, name, forbidden)
    params = {"Dense_0": {"kernel": jnp.ones((3, 2)), "bias": jnp.zeros(2)}}
    (loss, _), gradients = bp.value_and_grad(bp.mlp(), params, jnp.ones((2, 3)), jnp.array([0, 1]))
    assert float(loss) == pytest.approx(np.log(2))
    np.testing.assert_allclose(gradients["Dense_0"]["bias"], [0, 0], atol=1e-7)
