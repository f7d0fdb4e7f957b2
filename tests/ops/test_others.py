"""Activations, dropout, the bag of words, and programs that run once."""

import doctest

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dl_jax import ops
from dl_jax.ops import activations
from dl_jax.ops.compile_once import compile_once


def test_the_docstrings_examples():
    assert doctest.testmod(activations) == (0, 2)


def test_activations_by_hand():
    assert float(ops.relu(jnp.array(-2.0))) == 0
    assert float(ops.sigmoid(jnp.array(-1000.0))) == 0
    np.testing.assert_allclose(ops.softmax(jnp.array([0.0, jnp.log(3.0)])), [0.25, 0.75], rtol=1e-6)
    z = jnp.linspace(-3, 3, 7)
    np.testing.assert_allclose(ops.tanh(z), 2 * ops.sigmoid(2 * z) - 1, atol=1e-6)


def test_softmax_of_large_numbers_is_finite():
    assert ops.softmax(jnp.array([1000.0, 0.0])).tolist() == [1, 0]


def test_dropout_keeps_the_expectation_and_drops_its_share(key):
    y = ops.dropout(jnp.ones((1000, 101)), 0.25, key)
    assert set(np.unique(y)) == {0, np.float32(4 / 3)}
    # 101,000 independent values: the mean's standard deviation is sqrt(1/3 / 101000) = 0.0018.
    assert float(y.mean()) == pytest.approx(1, abs=4 * 0.0018)


def test_dropout_is_a_function_of_its_key(key):
    x = jnp.ones((8, 8))
    assert jnp.array_equal(ops.dropout(x, 0.5, key), ops.dropout(x, 0.5, key))
    assert not jnp.array_equal(ops.dropout(x, 0.5, key), ops.dropout(x, 0.5, jax.random.key(1)))


def test_a_small_rate_still_drops(key):
    assert 0 < int((ops.dropout(jnp.ones(10_000), 0.001, key) == 0).sum()) < 100
    assert jnp.array_equal(ops.dropout(jnp.ones(9), 0.0, key), jnp.ones(9))


@pytest.mark.parametrize("rate", [0.0, 0.001, 0.25, 0.999])
def test_dropout_at_a_rate_known_as_the_program_runs_is_the_same(key, rate):
    x = jnp.linspace(1, 2, 1001)
    np.testing.assert_allclose(
        jax.jit(ops.dropout)(x, jnp.float32(rate), key), ops.dropout(x, rate, key), rtol=1e-6
    )


def test_dropout_refuses_to_drop_everything(key):
    with pytest.raises(ValueError, match=r"rate in \[0, 1\), got 1"):
        ops.dropout(jnp.ones(3), 1.0, key)


IDS = jnp.array([[1, 3, 0, 0], [2, 3, 4, 5], [0, 0, 0, 0]])


def test_the_bag_of_words_adds_the_rows_of_the_words():
    kernel = jnp.array([[9.0], [1.0], [10.0], [100.0], [1000.0], [10000.0]])
    assert ops.bag_of_words(IDS, kernel)[:, 0].tolist() == [101, 11110, 0]


def test_ids_that_are_no_words_add_nothing():
    kernel = jnp.array([[9.0], [1.0], [10.0]])
    assert ops.bag_of_words(jnp.array([[1, 3, -1]]), kernel).tolist() == [[1]]


def test_the_bag_of_words_is_the_multi_hot_product(key):
    kernel = jax.random.normal(key, (6, 3))

    def energy(layer):
        return jax.value_and_grad(lambda kernel: jnp.sum(jnp.sin(layer(kernel))))(kernel)

    by_rows = energy(lambda kernel: ops.bag_of_words(IDS, kernel))
    by_product = energy(lambda kernel: ops.multi_hot(IDS, 6) @ kernel)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6), by_rows, by_product
    )


@pytest.mark.parametrize(("n", "length"), [(3, 40), (100, 33), (7, 600)])
@pytest.mark.parametrize("dtype", ["uint16", "int32"])
def test_texts_of_all_lengths_in_rows_of_ids(n, length, dtype, key):
    # Long and short texts, empty ones, ids beyond the vocabulary: more rows than fit one pass.
    lengths = jax.random.randint(key, (n, 1), 0, length + 1)
    ids = jax.random.permutation(key, jnp.arange(1, 701))[:length][None, :].repeat(n, 0)
    ids = jnp.where(jnp.arange(length)[None, :] < lengths, ids, 0).astype(dtype)
    kernel = jax.random.normal(key, (650, 3))
    known = jnp.where(ids < 650, ids, 0)

    def energy(layer):
        return jax.value_and_grad(lambda kernel: jnp.sum(jnp.sin(layer(kernel))))(kernel)

    by_rows = energy(lambda kernel: ops.bag_of_words(ids, kernel))
    by_product = energy(lambda kernel: ops.multi_hot(known, 650) @ kernel)
    # Sums of up to 600 words and 100 texts.
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=700 * 6e-7),
        by_rows,
        by_product,
    )


def test_sums_of_narrow_numbers_are_wide(key):
    ids = jnp.tile(jnp.arange(1, 201), (4, 1))
    kernel = jax.random.normal(key, (201, 16), jnp.bfloat16)
    exact = np.asarray(kernel.astype(jnp.float32))[1:].sum(0)
    y = jax.jit(ops.bag_of_words)(ids, kernel)
    assert y.dtype == jnp.bfloat16
    # The last rounding alone, to 8 bits, and 200 of float32, of sums below 100.
    np.testing.assert_allclose(y[0].astype(jnp.float32), exact, rtol=2**-8, atol=200 * 100 * 2**-24)


def test_the_bag_of_words_under_forward_mode_vmap_and_on_an_accelerator(key):
    kernels = jax.random.normal(key, (2, 6, 3))

    def hessian_vector(layer, kernel):
        grad = jax.grad(lambda kernel: jnp.sum(jnp.sin(layer(kernel))))
        return jax.jvp(grad, (kernel,), (jnp.cos(kernel),))[1]

    by_rows, by_product = (
        jax.vmap(lambda kernel, layer=layer: hessian_vector(layer, kernel))(kernels)
        for layer in (
            lambda kernel: ops.bag_of_words(IDS, kernel),
            lambda kernel: ops.multi_hot(IDS, 6) @ kernel,
        )
    )
    np.testing.assert_allclose(by_rows, by_product, rtol=1e-5, atol=1e-6)
    program = jax.jit(ops.bag_of_words).trace(IDS, kernels[0])
    text = {p: program.lower(lowering_platforms=(p,)).as_text() for p in ("cpu", "cuda")}
    assert "stablehlo.while" in text["cpu"]
    assert "stablehlo.while" not in text["cuda"]


def test_the_bag_of_words_under_shard_map(key):
    ids, kernel = jnp.array([[1, 2, 0], [3, 0, 0]]), jax.random.normal(key, (5, 2))
    mesh = jax.make_mesh((1,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    data, everywhere = jax.sharding.PartitionSpec("data"), jax.sharding.PartitionSpec()

    def value_and_gradient(ids, kernel):
        y, pull_back = jax.vjp(lambda kernel: ops.bag_of_words(ids, kernel), kernel)
        return y, *pull_back(y)

    specs = (data, everywhere)
    mapped = jax.shard_map(value_and_gradient, mesh=mesh, in_specs=specs, out_specs=specs)
    for ours, alone in zip(mapped(ids, kernel), value_and_gradient(ids, kernel), strict=True):
        np.testing.assert_allclose(ours, alone, rtol=1e-6)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0)])
def test_no_texts_and_no_words(shape):
    y = ops.bag_of_words(jnp.zeros(shape, jnp.int32), jnp.ones((5, 2)))
    np.testing.assert_array_equal(y, np.zeros((shape[0], 2)))


def test_multi_hot_is_the_slides_matrix():
    assert ops.multi_hot(IDS, 6).tolist() == [[0, 1, 0, 1, 0, 0], [0, 0, 1, 1, 1, 1], [0] * 6]


def test_what_runs_once_is_compiled_quickly(monkeypatch):
    asked, jitted = {}, jax.jit(abs)
    monkeypatch.setattr(jax, "jit", lambda function, **arguments: asked.update(arguments) or jitted)
    compile_once(abs, static_argnames="x")
    assert asked["static_argnames"] == "x"
    assert asked["compiler_options"]["xla_backend_optimization_level"] == 0
    older = {"xla_cpu_use_fusion_emitters": False} if jax.__version_info__ < (0, 11) else {}
    assert asked["compiler_options"].items() >= older.items()
