"""Products with a large or a narrow kernel: `jax.lax`'s, in value and every derivative."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import lax

from dl_jax.models.layers import Dense
from dl_jax.ops import dot_general

ROWS = (((1,), (0,)), ((), ()))
INPUTS, OUTPUTS = 2048, 512
NARROW = (320, 10)


def arguments(n=4, shape=(INPUTS, OUTPUTS), dtype=jnp.float32):
    x, w, y = (jax.random.key(i) for i in range(3))
    sizes = ((n, shape[0]), shape, (n, shape[1]))
    return [jax.random.normal(key, size, dtype) for key, size in zip((x, w, y), sizes, strict=True)]


def assert_close(got, expected, terms):
    """Sums of so many products of normal numbers, in another order."""
    largest = float(jnp.abs(expected).max())
    np.testing.assert_allclose(got, expected, rtol=0, atol=terms**0.5 * 2**-23 * largest)


@pytest.mark.parametrize(
    ("n", "shape"),
    [*((n, (INPUTS, OUTPUTS)) for n in (2, 16, 17, 64)), (10, NARROW), (200, NARROW)],
)
def test_value_and_gradients_are_those_of_lax(n, shape):
    x, w, d = arguments(n, shape)
    y, back = jax.vjp(lambda x, w: dot_general(x, w, ROWS), x, w)
    expected, back_of_lax = jax.vjp(lambda x, w: lax.dot_general(x, w, ROWS), x, w)
    assert_close(y, expected, shape[0])
    for got, wanted, terms in zip(back(d), back_of_lax(d), (shape[1], n), strict=True):
        assert_close(got, wanted, terms)


@pytest.mark.parametrize("shape", [(INPUTS, OUTPUTS), NARROW])
def test_forward_mode_and_second_derivatives_are_those_of_lax(shape):
    x, w, _ = arguments(16, shape)

    def of(product):
        def loss(x, w):
            return jnp.sin(product(x, w, ROWS) / shape[0] ** 0.5).sum()

        gradient = jax.grad(loss, (0, 1))
        return jax.jvp(gradient, (x, w), (x[::-1], w[::-1]))

    for got, wanted in zip(
        *map(jax.tree.leaves, (of(dot_general), of(lax.dot_general))), strict=True
    ):
        assert_close(got, wanted, shape[0])


@pytest.mark.parametrize("shape", [(INPUTS, OUTPUTS), NARROW])
def test_it_composes_with_jit_vmap_and_scan(shape):
    inputs, outputs = shape
    x, w, _ = arguments(36, shape)
    xs = x.reshape(3, -1, inputs)
    gradient = jax.grad(lambda x, w: (dot_general(x, w, ROWS) ** 2).sum())
    expected = jnp.stack([gradient(x, w) for x in xs])
    mapped = jax.jit(jax.vmap(gradient, (0, None)))(xs, w)
    _, scanned = lax.scan(lambda carry, x: (carry, gradient(x, w)), 0, xs)
    for got in (mapped, scanned):
        assert_close(got, expected, inputs + outputs)

    by_w = jax.grad(lambda w, x: (dot_general(x, w, ROWS) ** 2).sum())
    ws = jnp.stack([w, 2 * w, 3 * w])
    expected = jnp.stack([by_w(w, x) for w, x in zip(ws, xs, strict=True)])
    mapped = jax.jit(jax.vmap(by_w))(ws, xs)
    _, scanned = lax.scan(lambda carry, both: (carry, by_w(*both)), 0, (ws, xs))
    for got in (mapped, scanned):
        assert_close(got, expected, inputs)


def program(x, w, *, platform="cpu", **options):
    """The text of the gradients' program, before a compiler has seen it."""

    def both(x, w):
        return jax.grad(lambda x, w: dot_general(x, w, ROWS, **options).sum(), (0, 1))(x, w)

    return jax.jit(both).trace(x, w).lower(lowering_platforms=(platform,)).as_text()


def test_the_small_factor_is_turned_and_not_the_kernel():
    x, w, _ = arguments(8)
    text = program(x, w)
    turned = [line for line in text.splitlines() if "stablehlo.transpose" in line]
    assert sorted(line.rpartition("(")[2].split(")")[0] for line in turned) == [
        "tensor<2048x8xf32>",  # the gradient by the examples, which the kernel times that is
        "tensor<8x2048xf32>",  # the examples
        "tensor<8x512xf32>",  # the gradient by the outputs
    ]
    # `once` for each, or XLA turns the kernel after all.
    assert len(re.findall(r"call @_unchanged\S*\(.*inlineable", text)) == 3


def test_of_a_narrow_kernel_the_gradient_by_the_outputs_is_turned_and_not_the_examples():
    x, w, _ = arguments(128, NARROW)
    text = program(x, w)
    turned = [line for line in text.splitlines() if "stablehlo.transpose" in line]
    assert sorted(line.rpartition("(")[2].split(")")[0] for line in turned) == [
        "tensor<10x320xf32>",  # the gradient by the kernel
        "tensor<128x10xf32>",  # the gradient by the outputs
    ]
    assert len(re.findall(r"call @_unchanged\S*\(.*inlineable", text)) == 2
    # Of fewer examples than outputs the result is larger than they are: as for any large kernel.
    x, w, _ = arguments(8, (2**15, 32))
    assert "tensor<8x32768xf32>) -> tensor<32768x8xf32>" in program(x, w)


@pytest.mark.parametrize(
    "arrays",
    [
        arguments(1),
        arguments(1, NARROW),
        arguments(9, NARROW),
        arguments(128, (319, 10)),
        arguments(65),
        arguments(4, (INPUTS, OUTPUTS - 1)),
        arguments(4, dtype=jnp.bfloat16),
    ],
    ids=[
        "one example",
        "one and narrow",
        "fewer than outputs",
        "less narrow",
        "many",
        "a small kernel",
        "bfloat16",
    ],
)
def test_everything_else_is_left_to_lax(arrays):
    x, w, _ = arrays
    assert "dense" in str(jax.make_jaxpr(lambda x, w: dot_general(x, w, ROWS))(*arguments()[:2]))
    assert "dense" not in str(jax.make_jaxpr(lambda x, w: dot_general(x, w, ROWS))(x, w))


def test_other_axes_are_left_to_lax():
    x, w, _ = arguments(shape=(1024, 1024))
    turned = (((1,), (1,)), ((), ()))  # a square kernel fits either way
    assert dot_general(x, w, turned).tolist() == lax.dot_general(x, w, turned).tolist()


def test_it_takes_what_lax_takes():
    x, w, _ = arguments()
    expected = dot_general(x, w, ROWS)
    for got in (
        dot_general(x, w, ROWS, ("highest", "highest")),
        dot_general(x, w, ROWS, out_sharding=None),
        nnx.Linear(INPUTS, OUTPUTS, dot_general=dot_general, rngs=nnx.Rngs(0))(x) * 0 + expected,
    ):
        assert_close(got, expected, INPUTS)


@pytest.mark.parametrize("platform", ["tpu", "cuda"])
def test_other_devices_have_the_native_product(platform):
    x, w, _ = arguments()
    text = program(x, w, platform=platform)
    assert text.count("stablehlo.dot_general") == 2
    assert "stablehlo.transpose" not in text


def test_precision_is_the_one_asked_for_or_the_one_that_holds_at_the_call():
    x, w, _ = arguments()
    assert program(x, w, precision="highest").count("HIGHEST, HIGHEST") == 2
    assert "HIGHEST" not in program(x, w)

    def held(x, w):
        with jax.default_matmul_precision("highest"):
            return dot_general(x, w, ROWS)

    assert "HIGHEST, HIGHEST" in jax.jit(held).lower(x, w).as_text()


def test_examples_are_turned_only_where_they_are_very_few():
    counts = []
    for n in (16, 17):
        x, w, _ = arguments(n)
        counts.append(program(x, w).count("stablehlo.transpose"))
    assert counts == [3, 2]


def test_what_does_not_fit_is_lax_s_error():
    x, w, _ = arguments()
    with pytest.raises(TypeError, match="contracting dimension"):
        dot_general(x[:, 1:], w, ROWS)


def test_the_models_dense_layers_take_it():
    x, _, _ = arguments()
    layer = Dense(OUTPUTS)
    variables = layer.init(jax.random.key(0), x)
    assert "dense" in str(jax.make_jaxpr(layer.apply)(variables, x))
