"""A network in another precision is the same network; nothing is computed here, but shapes."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn

from dl_jax.losses import MULTICLASS
from dl_jax.models import create
from dl_jax.models.layers import BatchNorm
from dl_jax.models.precision import (
    PRECISIONS,
    in_precision,
    with_mixed_precision,
    with_precision,
)
from dl_jax.ops.compile_once import compile_once
from dl_jax.train import Examples, init_state, train_step

BATCH = Examples(np.zeros((4, 10, 10, 1), np.uint8), np.arange(4, dtype=np.int32))


def after_a_step(model, optimizer, batch):
    """Return shapes and dtypes before and after a step."""

    def run(key):
        before = init_state(model, optimizer, key, batch.inputs)
        return before, train_step(model, MULTICLASS, optimizer, before, batch, key)

    before, (after, metrics) = jax.eval_shape(run, jax.random.key(0))
    return before, after, metrics


def dtypes(tree):
    return {str(a.dtype) for a in jax.tree.leaves(tree) if jnp.issubdtype(a.dtype, jnp.floating)}


@pytest.mark.parametrize("precision", PRECISIONS)
def test_parameters_state_and_logits_have_the_precision_and_the_models_names(precision):
    plain, adam = create("mnist_cnn"), optax.adam(1e-3)
    expected, _, _ = after_a_step(plain, adam, BATCH)
    with in_precision(precision):
        model = with_precision(plain, precision)
        before, after, metrics = after_a_step(model, adam, BATCH)
        images = jax.ShapeDtypeStruct((4, 10, 10, 1), jnp.float32)
        logits = jax.eval_shape(lambda p, x: model.apply({"params": p}, x), before.params, images)
    assert str(logits.dtype) == precision
    for state in (before, after):
        assert dtypes(state.params) == dtypes(state.opt_state) == {precision}
        shapes = jax.tree.map(lambda p: p.shape, state.params)
        assert shapes == jax.tree.map(lambda p: p.shape, expected.params)
    # An epoch has more examples than bfloat16 can count. Whether an answer is right is float32.
    assert str(metrics["loss"].dtype) == ("float64" if precision == "float64" else "float32")
    assert str(metrics["accuracy"].dtype) == "float32"
    assert (model is plain) == (precision == "float32")


def test_a_cast_network_answers_as_the_network_does_but_for_rounding():
    plain, key = create("fashion_mlp"), jax.random.key(0)
    images = jax.random.uniform(jax.random.key(1), (8, 4, 4, 1))

    def answer(model):
        return compile_once(lambda key: model.init_with_output(key, images)[0])(key)

    expected = np.asarray(answer(plain))
    narrow = np.asarray(answer(with_precision(plain, "bfloat16")), np.float32)
    assert 0 < np.max(np.abs(narrow - expected)) < 0.05 * np.max(np.abs(expected))


def test_ids_stay_ids():
    model = with_precision(create("imdb_bow"), "bfloat16")

    logits = compile_once(lambda ids: model.init_with_output(jax.random.key(0), ids)[0])
    one, other = (logits(jnp.array([[word, 0]])) for word in (301, 303))
    assert one[0, 0] != other[0, 0]  # as numbers of bfloat16, both are 302


class Normed(nn.Module):
    """A network with batch statistics."""

    @nn.compact
    def __call__(self, inputs, *, train=False):
        x = BatchNorm()(nn.Dense(3)(inputs), train=train)
        return nn.Dense(10)(x)


@pytest.mark.parametrize(("precision", "kept"), [("bfloat16", "float32"), ("float64", "float64")])
def test_batch_statistics_are_kept_in_float32_or_better(precision, kept):
    batch = Examples(np.zeros((4, 3), np.float32), np.arange(4, dtype=np.int32))
    with in_precision(precision), jax.numpy_rank_promotion("allow"):
        before, after, _ = after_a_step(with_precision(Normed(), precision), optax.sgd(0.1), batch)
    for state in (before, after):
        assert dtypes(state.model_state) == {kept}
        assert dtypes(state.params) == {precision}


def test_mixed_precision_computes_in_bfloat16_and_keeps_and_sums_in_float32():
    plain, adam = create("mnist_cnn"), optax.adam(1e-3)
    model = with_mixed_precision(plain, "bfloat16")
    before, after, metrics = after_a_step(model, adam, BATCH)
    for tree in (before.params, after.params, before.opt_state, after.opt_state, metrics):
        assert dtypes(tree) == {"float32"}
    images = jax.ShapeDtypeStruct((4, 10, 10, 1), jnp.float32)
    logits, captured = jax.eval_shape(
        lambda p, x: model.apply({"params": p}, x, capture_intermediates=True, mutable=[
            "intermediates"]),
        before.params, images,
    )  # fmt: skip
    assert str(logits.dtype) == "float32"  # so that the loss is
    dense = captured["intermediates"]["Dense_0"]["__call__"][0]
    assert str(dense.dtype) == "bfloat16"
    shapes = jax.tree.map(lambda p: p.shape, init_shapes(plain).params)
    assert jax.tree.map(lambda p: p.shape, before.params) == shapes


def init_shapes(model):
    before, _, _ = after_a_step(model, optax.adam(1e-3), BATCH)
    return before


def test_mixed_precision_begins_with_the_networks_own_parameters():
    plain, key = create("fashion_mlp"), jax.random.key(0)
    images = jnp.ones((1, 4, 4, 1))
    one, other = (
        compile_once(lambda key, m=model: m.init(key, images))(key)
        for model in (plain, with_mixed_precision(plain, "bfloat16"))
    )
    jax.tree.map(np.testing.assert_array_equal, one, other)


def test_mixed_precision_keeps_batch_statistics_in_float32():
    batch = Examples(np.zeros((4, 3), np.float32), np.arange(4, dtype=np.int32))
    with jax.numpy_rank_promotion("allow"):
        model = with_mixed_precision(Normed(), "bfloat16")
        before, after, _ = after_a_step(model, optax.sgd(0.1), batch)
    assert dtypes(before) == dtypes(after) == {"float32"}
    inputs = jnp.zeros((4, 3))
    with jax.numpy_rank_promotion("allow"):
        variables = model.init(jax.random.key(0), inputs)
        fine = jnp.full(3, 1 + 2**-12)  # which bfloat16 rounds to 1
        stats = {"BatchNorm_0": {**variables["batch_stats"]["BatchNorm_0"], "mean": fine}}
        variables = {**variables, "batch_stats": stats}
        _, changed = model.apply(variables, inputs, train=True, mutable=["batch_stats"])
    # The batch's mean is 0, and the momentum 0.9; two roundings of 6e-8.
    mean = changed["batch_stats"]["BatchNorm_0"]["mean"]
    np.testing.assert_allclose(np.array(mean), 0.9 * np.array(fine), rtol=2e-7)


def test_mixed_precision_leaves_float32_alone_and_is_float64_throughout():
    plain = create("fashion_mlp")
    assert with_mixed_precision(plain, "float32") is plain
    assert with_mixed_precision(plain, "float64") == with_precision(plain, "float64")
