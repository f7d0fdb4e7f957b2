"""Training: one step by hand, whole runs as pure functions, and what is said of bad input."""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn

from dl_jax.losses import BINARY, MULTICLASS, REGRESSION, Objective
from dl_jax.models import MLP, create
from dl_jax.train import (
    Data,
    Examples,
    Schedule,
    evaluate,
    fit,
    init_state,
    make_train,
    predict,
    train_batches,
    train_step,
    zero_totals,
)

MODEL, OPTIMIZER = MLP((8, 3)), optax.adam(1e-2)


def run(examples, **changes):
    settings = {"num_epochs": 3, "batch_size": 16, "key": jax.random.key(0), "progress": False}
    return fit(MODEL, MULTICLASS, OPTIMIZER, examples, **settings | changes)


def test_a_step_of_gradient_descent_by_hand(key):
    # One weight w, no hidden layer: E = (t - w x)^2, dE/dw = -2 x (t - w x).
    model, optimizer = MLP((1,)), optax.sgd(0.1)
    batch = Examples(jnp.array([[2.0]]), jnp.array([[3.0]]))
    state = init_state(model, optimizer, key, batch.inputs)
    state = dataclasses.replace(state, params=jax.tree.map(jnp.ones_like, state.params))
    after, metrics = train_step(model, REGRESSION, optimizer, state, batch, key)
    # w = b = 1 and x = 2 give y = 3 = t: nothing to learn.
    assert float(metrics["loss"]) == 0
    chex.assert_trees_all_equal(after.params, state.params)
    batch = batch._replace(targets=jnp.array([[4.0]]))
    after, metrics = train_step(model, REGRESSION, optimizer, state, batch, key)
    assert float(metrics["loss"]) == 1
    # dE/dw = -2 * 2 * 1 = -4 and dE/db = -2; the learning rate is 0.1.
    assert float(after.params["Dense_0"]["kernel"][0, 0]) == pytest.approx(1.4)
    assert float(after.params["Dense_0"]["bias"][0]) == pytest.approx(1.2)
    assert int(after.step) == 1


def test_the_history_of_fit(examples):
    seen = []
    done = run(
        examples, validation=examples, callbacks=[lambda epoch, row: seen.append((epoch, row))]
    )
    assert [epoch for epoch, _ in seen] == [1, 2, 3]
    assert [row for _, row in seen] == done.history
    assert set(done.history[0]) == {
        "epoch", "loss", "accuracy", "seconds", "val_loss", "val_accuracy", "val_seconds",
    }  # fmt: skip
    assert done.history[-1]["loss"] < done.history[0]["loss"]
    # 3 full batches and the short one in each of 3 epochs.
    assert int(done.state.step) == 12


def test_every_example_is_seen_once_an_epoch():
    # The gradient of w x for targets far away is -x up to scale: sgd adds up what it has seen.
    inputs = jnp.eye(5)
    model, optimizer = MLP((1,)), optax.sgd(1.0)
    reward = Objective(lambda z: z, lambda z, t: -z[:, 0], lambda z: z, lambda z, t: {})
    five = Data(Examples(inputs, jnp.zeros(5)))
    state, _ = make_train(model, reward, optimizer, five, Schedule(1, 2))(jax.random.key(0))
    start = init_state(model, optimizer, jax.random.split(jax.random.key(0), 3)[0], inputs)
    moved = state.params["Dense_0"]["kernel"] - start.params["Dense_0"]["kernel"]
    # Two batches of two, in which each example counts a half, and one alone in the last batch.
    np.testing.assert_allclose(sorted(moved[:, 0]), [0.5, 0.5, 0.5, 0.5, 1], rtol=1e-5)


def test_make_train_is_the_run_of_fit(examples):
    done = run(examples, validation=examples)
    train = make_train(MODEL, MULTICLASS, OPTIMIZER, Data(examples, examples), Schedule(3, 16))
    state, history = train(jax.random.key(0))
    chex.assert_trees_all_close(state, done.state, rtol=1e-5, atol=1e-6)
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
        expected = [row[name] for row in done.history]
        np.testing.assert_allclose(history[name], expected, rtol=1e-5)


def test_an_ensemble_is_vmap(examples):
    train = make_train(MODEL, MULTICLASS, OPTIMIZER, Data(examples), Schedule(2, 16))
    keys = jax.random.split(jax.random.key(0), 3)
    _, together = jax.vmap(train)(keys)
    alone = [train(key)[1]["loss"] for key in keys]
    np.testing.assert_allclose(together["loss"], jnp.stack(alone), rtol=1e-5)


def test_the_same_key_is_the_same_run_and_another_is_another(examples):
    first, again, other = (run(examples, key=jax.random.key(k)) for k in (0, 0, 1))
    chex.assert_trees_all_equal(first.state, again.state)
    assert first.history[0]["loss"] != other.history[0]["loss"]


def test_one_compilation_for_each_batch_shape(examples):
    traces = []

    def loss(logits, targets):
        traces.append(logits.shape)
        return MULTICLASS.loss(logits, targets)

    objective = MULTICLASS._replace(loss=loss)

    def train(num_epochs):
        key = jax.random.key(0)
        fit(MODEL, objective, OPTIMIZER, examples, num_epochs=num_epochs, batch_size=16, key=key)

    train(num_epochs=4)
    # Once for each of the two batch shapes; the other two are shape checks without arrays.
    assert sorted(set(traces)) == [(1, 3), (2, 3), (16, 3)]
    assert traces.count((16, 3)) == traces.count((2, 3)) == 1
    count = len(traces)
    train(num_epochs=1)
    assert [shape for shape in traces[count:] if shape != (1, 3)] == []


def test_batches_that_are_laid_out_are_those_of_their_order(examples, key):
    order = np.random.default_rng(0).permutation(50)[:48].astype(np.int32)
    laid_out = jax.tree.map(lambda a: a[order].reshape(12, 4, *a.shape[1:]), examples)

    def steps(data, order):
        state = init_state(MODEL, OPTIMIZER, key, examples.inputs[:1])
        totals = zero_totals(MODEL, MULTICLASS, state, examples)
        # The third, fourth and fifth batch: those of a piece of an epoch.
        return train_batches(
            MODEL, MULTICLASS, OPTIMIZER, state, totals, data, order, key, 8, 3, batch_size=4
        )

    # Two programs: a few updates of some roundings each.
    chex.assert_trees_all_close(steps(laid_out, None), steps(examples, order), rtol=1e-5, atol=1e-6)


def test_the_dropout_of_a_step_depends_on_the_step_alone(key):
    model, optimizer = create("mnist_cnn"), optax.sgd(0.0)
    batch = Examples(jnp.ones((2, 28, 28, 1)), jnp.array([0, 1]))
    state = init_state(model, optimizer, key, batch.inputs)
    step = jax.jit(lambda state: train_step(model, MULTICLASS, optimizer, state, batch, key))
    (after, first), (_, again) = step(state), step(state)
    assert first["loss"] == again["loss"]
    assert step(after)[1]["loss"] != first["loss"]


def test_images_are_scaled_in_the_step(key):
    model = MLP((3,))
    images = jnp.array([[0, 51], [255, 102]], jnp.uint8)
    state = init_state(model, OPTIMIZER, key, images)
    same = predict(model, state, images.astype(jnp.float32) / 255)
    np.testing.assert_allclose(predict(model, state, images), same, rtol=1e-6)


@pytest.mark.parametrize("batch_size", [1, 7, 50, 64])
def test_predictions_do_not_depend_on_the_batch_size(batch_size, examples, key):
    state = init_state(MODEL, OPTIMIZER, key, examples.inputs)
    logits = predict(MODEL, state, examples.inputs, batch_size)
    # Two layers of sums over 3 and 8 terms, all of order 1, in any order.
    tolerance = (3 + 8 + 2) * float(np.finfo(np.float32).eps)
    whole = predict(MODEL, state, examples.inputs)
    np.testing.assert_allclose(logits, whole, rtol=tolerance, atol=tolerance)
    loss = evaluate(MODEL, MULTICLASS, state, examples)["loss"]
    np.testing.assert_allclose(loss, MULTICLASS.loss(logits, examples.targets).mean(), rtol=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_epochs": 0}, "num_epochs: expected at least 1, got 0"),
        ({"batch_size": 51}, "from 1 to the number of training examples, 50, got 51"),
        ({"batch_size": 0}, "got 0"),
    ],
)
def test_settings_that_do_not_fit(changes, message, examples):
    with pytest.raises(ValueError, match=message):
        run(examples, **changes)


def test_narrow_logits_still_count_every_example():
    class Narrow(nn.Module):
        @nn.compact
        def __call__(self, x, *, train=False):
            return nn.Dense(2, dtype=jnp.bfloat16, kernel_init=nn.initializers.zeros)(x)

    many = Examples(jnp.ones((600, 1)), jnp.zeros(600, jnp.int32))
    done = fit(
        Narrow(), MULTICLASS, optax.sgd(0.0), many, num_epochs=1, batch_size=1,
        key=jax.random.key(0), progress=False,
    )  # fmt: skip
    assert done.history[0]["accuracy"] == 1  # bfloat16 counts to 256


def test_validation_data_of_another_shape(examples):
    other = examples._replace(inputs=examples.inputs[:, :2])
    with pytest.raises(ValueError, match=r"validation data: expected .* \[3\] each, got .* \[2\]"):
        run(examples, validation=other)


def test_data_that_do_not_fit(examples):
    labels = examples.targets.at[0].set(3)
    with pytest.raises(
        ValueError, match=r"labels from 0 to 2 for a model with 3 outputs, got .* 0 to 3"
    ):
        run(examples._replace(targets=labels))
    with pytest.raises(ValueError, match="got 50 inputs and 49 targets"):
        run(examples._replace(targets=examples.targets[1:]))
    with pytest.raises(ValueError, match="labels from 0 to 1"):
        fit(
            MLP((1,)), BINARY, OPTIMIZER, examples, num_epochs=1, batch_size=5,
            key=jax.random.key(0),
        )  # fmt: skip
