"""An ensemble is its members' runs; a sweep is runs that differ in one number."""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dl_jax.losses import MULTICLASS
from dl_jax.models import MLP, create
from dl_jax.train import (
    Checkpoint,
    Data,
    Examples,
    Schedule,
    init_state,
    make_ensemble,
    make_train,
    with_hyperparams,
)

MODEL = MLP((4, 3))
SCHEDULE = Schedule(num_epochs=2, batch_size=8)


def adam(learning_rate):
    return optax.adam(learning_rate, eps=1e-7)


@pytest.fixture(scope="module")
def data():
    inputs = jax.random.normal(jax.random.key(1), (20, 5))  # the last batch is short
    targets = jnp.argmax(inputs[:, :3], axis=1).astype(jnp.int32)
    return Data(Examples(inputs, targets), Examples(inputs[:6], targets[:6]))


@pytest.fixture(scope="module")
def keys():
    return jnp.stack([jax.random.key(seed) for seed in range(3)])


def member(tree, i):
    return jax.tree.map(lambda a: a[i], tree)


def assert_same_bits(one, other):
    one, other = jax.device_get((one, other))
    assert jax.tree.structure(one) == jax.tree.structure(other)
    jax.tree.map(np.testing.assert_array_equal, one, other)


def test_members_in_a_loop_are_the_runs_of_their_keys_to_the_bit(data, keys):
    alone = make_train(MODEL, MULTICLASS, adam(0.01), data, SCHEDULE)
    states, histories = make_ensemble(MODEL, MULTICLASS, adam(0.01), data, SCHEDULE, loop=True)(
        keys, {}
    )
    for i, key in enumerate(keys):
        state, history = alone(key)
        assert_same_bits((state, history), (member(states, i), member(histories, i)))
    assert len(np.unique(histories["loss"][:, -1])) == 3


@pytest.mark.parametrize("loop", [True, False])
def test_epoch_by_epoch_it_is_the_same(data, keys, loop):
    optimizer = optax.inject_hyperparams(adam)(learning_rate=0.0)
    train = make_ensemble(MODEL, MULTICLASS, optimizer, data, SCHEDULE, loop=loop)
    rates, seen = {"learning_rate": jnp.array([0.1, 0.01, 0.001])}, []
    states, histories = train(keys, rates, lambda epoch, row: seen.append((epoch, row)))
    whole = train(keys, rates)
    # Another program, whose roundings may differ: six steps, of 2^-24 each.
    chex.assert_trees_all_close((states, histories), whole, rtol=1e-5, atol=1e-6)
    assert [epoch for epoch, _ in seen] == [1, 2]
    for epoch, row in seen:
        assert row.keys() == histories.keys()
        np.testing.assert_array_equal(row["loss"], histories["loss"][:, epoch - 1])


@pytest.mark.parametrize("loop", [True, False])
def test_from_any_checkpoint_it_goes_on_to_the_same_end(data, keys, loop):
    optimizer = optax.inject_hyperparams(adam)(learning_rate=0.0)
    train = make_ensemble(MODEL, MULTICLASS, optimizer, data, Schedule(3, 8), loop=loop)
    rates, kept = {"learning_rate": jnp.array([0.1, 0.01, 0.001])}, []
    states, histories = train(keys, rates, checkpoint=lambda one: kept.append(jax.device_get(one)))
    assert [one.step for one in kept] == list(range(1, 10))  # of three steps, the last one short
    for one in kept:
        left = {k: v[:, one.step // 3 :] for k, v in histories.items()} if one.step < 9 else {}
        for start in (one, jax.tree.map(jnp.asarray, one)):  # of a file, and of a device
            assert_same_bits(train(keys, rates, start=start), (states, left))
            assert_same_bits(start, one)  # the program took none of its memory


def test_checkpoints_come_behind_each_so_many_steps_too(keys):
    inputs = jax.random.normal(jax.random.key(1), (200, 5))
    examples = Examples(inputs, jnp.zeros(200, jnp.int32))
    train = make_ensemble(MODEL, MULTICLASS, adam(0.01), Data(examples), Schedule(1, 4))
    steps = []
    train(keys, {}, checkpoint=lambda one: steps.append(one.step), checkpoint_every=7)
    assert set(range(7, 50, 7)) < set(steps)
    assert max(b - a for a, b in zip([0, *steps], steps, strict=False)) == 3  # a twentieth


def test_states_of_other_members_are_refused(data, keys):
    train = make_ensemble(MODEL, MULTICLASS, adam(0.01), data, SCHEDULE)
    states, _ = train(keys, {})
    with pytest.raises(
        ValueError, match=r"^start: expected step int32\[2\], got int32\[3\]; .*more"
    ):
        train(keys[:2], {}, start=Checkpoint(states))
    apart = dataclasses.replace(states, step=jnp.array([3, 4, 3], jnp.int32))
    with pytest.raises(ValueError, match=r"all members behind the same step, got 3, 4"):
        train(keys, {}, start=Checkpoint(apart))
    within = dataclasses.replace(states, step=jnp.array([4, 4, 4], jnp.int32))
    with pytest.raises(ValueError, match=r"has made 1 steps; expected the totals of them"):
        train(keys, {}, start=Checkpoint(within))


def test_members_loop_or_step_together(data):
    keys = jnp.stack([jax.random.key(seed) for seed in range(7)])

    def program(loop) -> str:
        train = make_ensemble(MODEL, MULTICLASS, adam(0.01), data, SCHEDULE, loop=loop)
        return str(jax.make_jaxpr(train)(keys, {}))

    assert "length=7" in program(loop=True)  # a scan over the seven members
    assert "length=7" not in program(loop=False)
    assert program(loop=None) == program(loop=True)  # on the CPU of the tests


def test_members_together_are_those_in_a_loop_but_for_rounding(data, keys):
    def losses(loop):
        train = make_ensemble(MODEL, MULTICLASS, adam(0.01), data, SCHEDULE, loop=loop)
        return train(keys, {})[1]["val_loss"]

    # Six steps, each of which rounds its sums of at most 8 examples by some 2^-24.
    np.testing.assert_allclose(losses(True), losses(False), rtol=1e-5)


def test_a_swept_learning_rate_gives_the_run_that_has_it_as_a_constant(data):
    rates = [0.001, 0.01, 0.1]
    optimizer = optax.inject_hyperparams(adam)(learning_rate=0.5)
    train = make_ensemble(MODEL, MULTICLASS, optimizer, data, SCHEDULE, loop=True)
    key = jax.random.key(0)
    states, histories = train(jnp.stack([key] * 3), {"learning_rate": jnp.array(rates)})
    held = optax.tree.get(states.opt_state, "learning_rate")
    np.testing.assert_array_equal(held, np.array(rates, np.float32))
    for i, rate in enumerate(rates):
        _, history = make_train(MODEL, MULTICLASS, adam(rate), data, SCHEDULE)(key)
        for name, values in history.items():
            np.testing.assert_allclose(histories[name][i], values, rtol=1e-5, err_msg=name)


@pytest.mark.parametrize("rate", [0.0, 0.001, 0.3, 0.999])
def test_a_swept_dropout_rate_gives_the_step_that_has_it_as_a_constant(rate):
    images, key = jax.random.normal(jax.random.key(1), (4, 6, 6, 1)), jax.random.key(0)
    swept, constant = (
        create("mnist_cnn", features=(8,)),
        create("mnist_cnn", features=(8,), dropout_rate=rate),
    )
    state = init_state(swept, optax.sgd(0.1), key, images)
    state = with_hyperparams(swept, state, {"dropout_rate": jnp.float32(rate)})
    variables = {"params": state.params}

    @jax.jit
    def logits(variables):
        return swept.apply(variables, images, train=True, rngs={"dropout": key})

    expected = constant.apply(variables, images, train=True, rngs={"dropout": key})
    got = logits({**variables, **state.model_state})
    assert isinstance(expected, jax.Array)
    np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-6)


def test_dropout_rates_of_members_are_their_own(keys):
    images = jax.random.normal(jax.random.key(1), (8, 6, 6, 1))
    data = Data(Examples(images, jnp.arange(8, dtype=jnp.int32)))
    model = create("mnist_cnn", features=(4,))
    train = make_ensemble(model, MULTICLASS, adam(0.01), data, Schedule(2, 8))
    _, history = train(jnp.stack([keys[0]] * 2), {"dropout_rate": jnp.array([0.0, 0.9])})
    assert history["loss"][0, -1] != history["loss"][1, -1]


def test_what_is_no_data_of_the_program_cannot_be_swept(data, keys):
    train = make_ensemble(MODEL, MULTICLASS, adam(0.01), data, SCHEDULE)
    with pytest.raises(ValueError, match=r"learning_rate: expected some of none at all; make the"):
        train(keys, {"learning_rate": jnp.ones(3)})
    optimizer = optax.inject_hyperparams(adam)(learning_rate=0.1)
    train = make_ensemble(MODEL, MULTICLASS, optimizer, data, SCHEDULE)
    with pytest.raises(ValueError, match="momentum: expected some of learning_rate"):
        train(keys, {"momentum": jnp.ones(3)})


def test_the_same_seed_gives_the_same_bits_twice(data):
    def again():
        jax.clear_caches()  # compiled again, not only run again
        return make_train(MODEL, MULTICLASS, adam(0.01), data, SCHEDULE)(jax.random.key(7))

    assert_same_bits(again(), again())
