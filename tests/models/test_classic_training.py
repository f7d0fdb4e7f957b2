"""A classic network takes steps of training: dropout and batch statistics pass through them."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dl_jax.losses import MULTICLASS
from dl_jax.models import VGG, ResNet
from dl_jax.train import Examples, evaluate, init_state, train_step

RESNET = ResNet((1, 0, 0, 0), kernel_size=3, strides=1, pool=False, num_classes=3)
VGG_ = VGG((1, 0, 0, 0, 0), num_classes=3, dropout_rate=0.25)


@pytest.mark.parametrize(("model", "side"), [(RESNET, 8), (VGG_, 32)], ids=["resnet", "vgg"])
def test_steps_learn_and_are_compiled_once(model, side, key):
    rng = np.random.default_rng(0)
    labels = np.arange(6) % 3
    images = (80 * labels + rng.integers(60, size=(3, side, side, 6))).astype(np.uint8).T
    batch = Examples(jnp.asarray(images), jnp.asarray(labels, jnp.int32))
    optimizer = optax.sgd(1e-3)
    traces = []

    @jax.jit
    def step(state, batch, noise):
        traces.append(None)
        return train_step(model, MULTICLASS, optimizer, state, batch, noise)

    before = jax.jit(functools.partial(init_state, model, optimizer))(key, batch.inputs)
    state, losses = before, []
    for _ in range(12):
        state, metrics = step(state, batch, key)
        losses.append(float(metrics["loss"]))
    assert len(traces) == 1
    assert losses[-1] < 0.8 * losses[0]
    assert int(state.step) == 12
    assert list(state.model_state) == ["batch_stats"] * (model is RESNET)
    moved = [
        not np.array_equal(a, b)
        for a, b in zip(jax.tree.leaves(before), jax.tree.leaves(state), strict=True)
    ]
    assert all(moved)
    figures = evaluate(model, MULTICLASS, state, batch)
    assert np.isfinite(float(figures["loss"]))
