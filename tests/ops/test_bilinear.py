"""Products that know their transposes pass through every transformation, as `@` does."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dl_jax.ops.bilinear import Products, bilinear

BY_HAND = Products(
    forward=lambda x, w, scale: scale * (x @ w),
    by_x=lambda y, w, scale: scale * (y @ w.T),
    by_w=lambda x, y, scale: scale * (x.T @ y),
)
scaled_product = bilinear("product", BY_HAND, BY_HAND, example_axis=0).forward


def product(x, w):
    return scaled_product(x, w, 2.0)


def reference(x, w):
    return 2.0 * (x @ w)


@pytest.fixture
def xw(key):
    # Whole numbers: every sum is exact in any order.
    x = jax.random.randint(key, (3, 5, 2), -4, 5).astype(jnp.float32)
    w = jax.random.randint(key, (3, 2, 4), -4, 5).astype(jnp.float32)
    return x, w


def cubes(f):
    """A function of both arguments whose second derivatives are not constant."""
    return lambda x, w: jnp.sum(f(x, w) ** 3)


def same(ours, theirs):
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)


@pytest.mark.parametrize(
    "derivative",
    [
        lambda f: f,
        lambda f: jax.grad(cubes(f), (0, 1)),
        lambda f: jax.hessian(cubes(f), (0, 1)),
        lambda f: jax.jacfwd(jax.jacrev(cubes(f), (0, 1)), (0, 1)),
        lambda f: lambda x, w: jax.jvp(f, (x, w), (x + 1, w - 1)),
    ],
)
def test_derivatives_of_any_order_in_either_mode(derivative, xw):
    x, w = xw[0][0], xw[1][0]
    same(derivative(product)(x, w), derivative(reference)(x, w))
    same(jax.jit(derivative(product))(x, w), derivative(reference)(x, w))


@pytest.mark.parametrize("axes", [(0, 0), (0, None), (None, 0)])
def test_a_batch_of_either_or_both_before_and_after_differentiation(axes, xw):
    x, w = (a if axis == 0 else a[0] for a, axis in zip(xw, axes, strict=True))

    def inside(f):
        return jax.vmap(jax.grad(cubes(f), (0, 1)), axes)(x, w)

    def outside(f):
        return jax.grad(lambda x, w: jax.vmap(cubes(f), axes)(x, w).sum(), (0, 1))(x, w)

    same(inside(product), inside(reference))
    same(outside(product), outside(reference))


def test_a_batch_of_batches(xw):
    def every_pair(f):
        def total(xs, ws):
            return jax.vmap(jax.vmap(cubes(f), (0, None)), (None, 0))(xs, ws).sum()

        return jax.grad(total, (0, 1))(*xw)

    same(every_pair(product), every_pair(reference))


def test_each_kind_of_device_has_its_own_algorithm(xw):
    on_cpu = BY_HAND._replace(forward=lambda x, w, scale: jnp.sin(x) @ w)
    chosen = bilinear("chosen", default=BY_HAND, cpu=on_cpu, example_axis=0)
    program = jax.jit(lambda x, w: chosen.forward(x[0], w[0], 2.0)).trace(*xw)
    text = {p: program.lower(lowering_platforms=(p,)).as_text() for p in ("cpu", "cuda", "tpu")}
    assert ["stablehlo.sine" in text[p] for p in ("cpu", "cuda", "tpu")] == [True, False, False]


def test_a_batch_is_a_loop_on_a_cpu_and_one_product_elsewhere(xw):
    program = jax.jit(jax.vmap(product)).trace(*xw)
    text = {p: program.lower(lowering_platforms=(p,)).as_text() for p in ("cpu", "cuda")}
    assert "stablehlo.while" in text["cpu"]
    assert "stablehlo.while" not in text["cuda"]


def test_its_shape_is_traced_once_whatever_asks_for_it(xw):
    x, w = xw[0][0], xw[1][0]
    traced = []

    def forward(x, w, scale):
        traced.append(x.shape)
        return BY_HAND.forward(x, w, scale)

    products = bilinear("counted", BY_HAND._replace(forward=forward), BY_HAND, example_axis=0)
    for scale in (1.0, 2.0):
        f = cubes(lambda x, w, scale=scale: products.forward(x, w, scale))
        jax.make_jaxpr(jax.grad(jax.checkpoint(f), (0, 1)))(x, w)
        jax.make_jaxpr(f)(x, w)
    assert traced == [x.shape] * 2


def test_a_shape_found_without_float64_is_not_remembered_for_it(xw):
    with jax.enable_x64(True):
        x, w = (np.asarray(a[0], np.float64) for a in xw)
        x, w = jnp.asarray(x), jnp.asarray(w)
    jax.eval_shape(product, x, w)
    with jax.enable_x64(True):
        assert jax.eval_shape(product, x, w).dtype == jnp.float64


def test_under_shard_map(xw):
    x, w = xw[0].reshape(15, 2), xw[1][0]
    mesh = jax.make_mesh((1,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    data, everywhere = jax.sharding.PartitionSpec("data"), jax.sharding.PartitionSpec()

    def gradients(f):
        return jax.shard_map(
            lambda x, w: jax.grad(cubes(f), (0, 1))(x, w),
            mesh=mesh,
            in_specs=(data, everywhere),
            out_specs=(data, everywhere),
        )(x, w)

    same(gradients(product), gradients(reference))
