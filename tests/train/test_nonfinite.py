"""Numbers that go wrong: where they are found, what is kept, and what is left out."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn
from jax import lax

from dl_jax.losses import REGRESSION, Objective
from dl_jax.train import (
    Checkpoint,
    Data,
    Examples,
    Fit,
    NonFiniteError,
    Schedule,
    epoch_order,
    fit,
    init_state,
    make_train,
    streams,
    train_batches,
    zero_totals,
)

KEY, NAN = jax.random.key(0), float("nan")
WRONG = int(epoch_order(streams(KEY).order, 0, 20)[10])  # in the third update


class Line(nn.Module):
    @nn.compact
    def __call__(self, x, *, train=False):
        return nn.Dense(1)(x)


class Log(nn.Module):
    @nn.compact
    def __call__(self, x, *, train=False):
        return jnp.log(x)


class Nested(nn.Module):
    """Whose second layer has no answer for negative numbers."""

    @nn.compact
    def __call__(self, x, *, train=False):
        hidden = nn.Dense(2, name="first")(x)
        return nn.Dense(1, name="last")(hidden * Log(name="logarithm")(x))


# |z|^(1/2) is 0 at 0, and its slope infinite.
ROOT = Objective(
    lambda z: z, lambda z, t: jnp.sqrt(jnp.abs((z - t)[:, 0])), lambda z: z, lambda z, t: {}
)


@pytest.fixture
def examples():
    """20 examples of a line: five batches of four."""
    inputs = np.random.default_rng(0).uniform(1, 2, (20, 2)).astype(np.float32)
    return Examples(jnp.asarray(inputs), jnp.asarray(inputs.sum(1, keepdims=True)))


def run(examples, model=None, objective=REGRESSION, optimizer=None, **changes) -> Fit:
    settings = {"num_epochs": 2, "batch_size": 4, "key": KEY, "progress": False}
    optimizer = optimizer or optax.adam(1e-2)
    return fit(model or Line(), objective, optimizer, examples, **settings | changes)


def when(example: int, epoch: int) -> int:
    """The update, from 1, in which an epoch, from 0, sees an example."""
    order = np.asarray(epoch_order(streams(KEY).order, epoch, 20))
    return 5 * epoch + int(np.flatnonzero(order == example)[0]) // 4 + 1


def spoilt(examples, value) -> Examples:
    return examples._replace(inputs=examples.inputs.at[WRONG, 0].set(value))


def test_an_input_that_is_no_number_is_found_in_its_step(examples):
    with pytest.raises(NonFiniteError, match="an input of the batch") as found:
        run(spoilt(examples, NAN))
    assert (found.value.step, found.value.epoch) == (when(WRONG, 0), 1)
    assert f"step {when(WRONG, 0)}, in epoch 1" in str(found.value)


def test_the_layer_is_the_first_whose_output_is_not_finite(examples):
    with pytest.raises(NonFiniteError) as found:
        run(spoilt(examples, -1.0), model=Nested())
    assert found.value.place == "the output of logarithm"
    assert found.value.step == when(WRONG, 0)


def test_a_target_makes_the_loss_so_and_no_layer(examples):
    wrong = examples._replace(targets=examples.targets.at[WRONG].set(jnp.inf))
    with pytest.raises(NonFiniteError, match="the loss, of finite outputs"):
        run(wrong)


def test_parameters_of_the_last_update_are_found_without_a_loss_that_shows_them(examples):
    zeros = Examples(
        jnp.zeros((4, 2)), jnp.zeros((4, 1))
    )  # the loss is 0, its gradient 0 * infinity
    with pytest.raises(NonFiniteError, match="what was learned: Dense_0/") as found:
        run(zeros, objective=ROOT, num_epochs=1)
    assert (found.value.step, found.value.epoch) == (1, 1)


def test_no_checkpoint_is_made_of_them(examples):
    steps = []
    with pytest.raises(NonFiniteError):
        run(
            spoilt(examples, NAN), checkpoint=lambda c: steps.append(int(c.state.step)),
            checkpoint_every=1,
        )  # fmt: skip
    assert steps == list(range(1, when(WRONG, 0)))


def batches(examples, count, **changes):
    model, optimizer = Line(), optax.adam(1e-2)
    init, order, noise = streams(KEY)
    state = init_state(model, optimizer, init, examples.inputs)
    zeros = zero_totals(model, REGRESSION, state, examples, **changes)
    return train_batches(
        model, REGRESSION, optimizer, state, zeros, examples, epoch_order(order, 0, 20), noise, 0,
        count, batch_size=4, **changes,
    )  # fmt: skip


def assert_same(one, other):
    """As two programs compute it: ten updates of some ten roundings of 6e-8 each."""
    chex.assert_trees_all_close(one, other, rtol=100 * 6e-8)


def test_an_update_that_is_left_out_changes_nothing_but_the_step(examples):
    wrong, step = spoilt(examples, NAN), when(WRONG, 0)
    before, earlier = batches(examples, step - 1)
    after, totals = batches(wrong, step, nonfinite="skip")
    assert_same((after.params, after.opt_state), (before.params, before.opt_state))
    assert int(after.step) == step
    assert totals["loss"] == pytest.approx(float(earlier["loss"]), rel=100 * 6e-8)
    assert (totals["skipped"], totals["left_out"]) == (1, 4)


def test_what_is_left_out_is_counted_and_the_means_are_over_the_rest(examples):
    done = run(spoilt(examples, NAN), optimizer=optax.sgd(0.0), nonfinite="skip")
    assert [row["skipped"] for row in done.history] == [1, 1]
    start = run(examples, optimizer=optax.sgd(0.0), num_epochs=1)
    order = np.asarray(epoch_order(streams(KEY).order, 0, 20)).reshape(5, 4)
    kept = order[(order != WRONG).all(1)].ravel()
    logits = Line().apply({"params": start.state.params}, examples.inputs[kept])
    assert isinstance(logits, jax.Array)
    expected = REGRESSION.loss(logits, examples.targets[kept]).mean()
    # A sum of 16 numbers of the same size in another order: 16 roundings.
    assert done.history[0]["loss"] == pytest.approx(float(expected), rel=16 * 6e-8)
    assert "skipped" not in start.history[0]


def test_a_checkpoint_goes_on_with_updates_left_out_and_not_back(examples):
    kept: list[Checkpoint] = []

    def keep(checkpoint: Checkpoint) -> None:
        kept.append(jax.device_get(checkpoint))

    wrong = spoilt(examples, NAN)
    with pytest.raises(NonFiniteError):
        run(wrong, checkpoint=keep, checkpoint_every=1)
    done = run(wrong, start=kept[-1], nonfinite="skip", checkpoint=keep, checkpoint_every=1)
    assert_same(done.state, run(wrong, nonfinite="skip").state)
    assert [row["skipped"] for row in done.history] == [1, 1]
    within = next(one for one in kept if one.totals.get("skipped"))
    with pytest.raises(ValueError, match="left out; expected nonfinite='skip', got 'stop'"):
        run(wrong, start=within)


def test_where_nothing_was_left_out_a_checkpoint_goes_on_without_leaving_out(examples):
    kept: list[Checkpoint] = []
    run(examples, nonfinite="skip", checkpoint=lambda c: kept.append(jax.device_get(c)))
    assert kept[0].totals["skipped"] == 0
    assert_same(run(examples, start=kept[0]).state, run(examples).state)


def test_a_number_that_went_wrong_but_once_is_not_looked_for_for_ever(examples):
    calls = []

    def once(_):
        calls.append(None)
        return np.float32(NAN if len(calls) == 3 else 0)

    def spoils(z, t):
        zero = jax.pure_callback(once, jax.ShapeDtypeStruct((), jnp.float32), t.sum())
        return REGRESSION.loss(z, t) + lax.stop_gradient(zero)

    with pytest.raises(NonFiniteError, match="finite when the steps were made again") as found:
        run(examples, objective=REGRESSION._replace(loss=spoils))
    assert found.value.epoch == 1
    assert len(calls) <= 10  # each of five steps twice at most


def test_an_update_that_would_spoil_the_parameters_is_left_out_too(examples):
    zeros = Examples(jnp.zeros((4, 2)), jnp.zeros((4, 1)))
    done = run(zeros, objective=ROOT, nonfinite="skip")
    assert [row["skipped"] for row in done.history] == [1, 1]
    assert np.isnan(done.history[0]["loss"])  # the mean of none
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(done.state.params))


def test_a_member_of_an_ensemble_goes_wrong_alone(examples):
    class Lottery(nn.Module):
        """Begins with kernels that are no numbers, for about half of the keys."""

        @nn.compact
        def __call__(self, x, *, train=False):
            def kernel(key, shape, dtype=jnp.float32):
                return jnp.where(jax.random.bernoulli(key), jnp.zeros(shape, dtype), NAN)

            return nn.Dense(1, kernel_init=kernel)(x)

    train = make_train(Lottery(), REGRESSION, optax.adam(1e-2), Data(examples), Schedule(2, 4))
    keys = jax.random.split(KEY, 6)
    _, history = jax.vmap(train)(keys)
    good = np.isfinite(history["loss"][:, 0])
    assert 0 < good.sum() < 6
    assert np.isfinite(history["loss"][good]).all()
    assert np.isnan(history["loss"][~good]).all()
    alone = [float(train(key)[1]["loss"][-1]) for key in keys[np.flatnonzero(good)]]
    np.testing.assert_allclose(history["loss"][good, -1], alone, rtol=1e-5)
