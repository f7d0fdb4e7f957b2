"""What `test_mesh.py` runs in a process that has eight devices, all of them a CPU's threads."""

import math
import re

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn

from dl_jax import backprop
from dl_jax.losses import BINARY, MULTICLASS
from dl_jax.models import CNN, MLP, BagOfWords
from dl_jax.models.layers import BatchNorm, Conv
from dl_jax.train import (
    Checkpoint,
    Data,
    Examples,
    Schedule,
    device_mesh,
    evaluate,
    fit,
    init_state,
    make_ensemble,
    make_train,
    mesh,
    train_batches,
    zero_totals,
)
from dl_jax.train.ensemble_calls import _some_steps
from dl_jax.train.pieces import batches_of

OPTIMIZER = optax.sgd(0.1, momentum=0.9)
BATCH, SIZE = 32, 77  # two whole batches, and 13 that eight devices cannot share


class Normed(nn.Module):
    """Whose batch statistics are those of the batch, and not of a device's part of it."""

    @nn.compact
    def __call__(self, inputs, *, train=False):
        x = BatchNorm()(Conv(3, (3, 3))(inputs), train=train)
        return nn.Dense(3)(nn.relu(x).mean((1, 2)))


def images(channels: int = 1) -> Examples:
    rng = np.random.default_rng(0)
    labels = np.arange(SIZE, dtype=np.int32) % 3
    shape = (SIZE, 10, 10, channels)
    bright = rng.integers(0, 100, shape) + 60 * labels[:, None, None, None]
    return Examples(bright.astype(np.uint8), labels)


def texts() -> Examples:
    rng = np.random.default_rng(0)
    return Examples(rng.integers(1, 50, (SIZE, 6)), np.arange(SIZE, dtype=np.int32) % 2)


def flat() -> Examples:
    inputs, labels = images()
    return Examples(inputs.reshape(SIZE, -1), labels)


CASES = {
    "mlp": (MLP((8, 3)), MULTICLASS, flat()),
    "cnn with dropout": (CNN((4, 4), num_classes=3), MULTICLASS, images()),
    "batch norm": (Normed(), MULTICLASS, images(2)),
    "bag of words": (BagOfWords((4, 1), num_words=50), BINARY, texts()),
}


def run(case="mlp", **changes):
    model, objective, examples = CASES[case]
    settings = {"num_epochs": 2, "batch_size": BATCH, "key": jax.random.key(0), "progress": False}
    return fit(
        model, objective, OPTIMIZER, examples, validation=examples, **settings | changes
    )  # fmt: skip


def alone(case="mlp", **changes):
    with jax.default_device(jax.devices()[0]):
        return run(case, **changes)


def assert_same(got, expected):
    """Two epochs of three steps, each a mean of at most 32 gradients, summed in another order.

    A sum of n terms is off by n roundings of the sum of their sizes at most: 6 x 32 of them, of
    values of about 1.
    """
    bound = 6 * BATCH * float(np.finfo(np.float32).eps)
    chex.assert_trees_all_close(
        jax.device_get(got), jax.device_get(expected), rtol=bound, atol=bound
    )


def figures(done):
    return [{k: v for k, v in row.items() if "seconds" not in k} for row in done.history]


@pytest.mark.parametrize("case", CASES)
def test_the_run_is_that_of_one_device(case):
    one, eight = alone(case), run(case)
    assert len(jax.tree.leaves(one.state.params)[0].devices()) == 1
    for array in jax.tree.leaves(eight.state):
        assert len(array.devices()) == 8
        assert array.sharding.is_fully_replicated
    assert_same(eight.state, one.state)
    assert_same(figures(eight), figures(one))


def test_each_device_computes_its_part_of_a_batch():
    seen = {}

    class Watched(nn.Module):
        @nn.compact
        def __call__(self, inputs, *, train=False):
            x = nn.Dense(3)(inputs)
            if train:
                jax.debug.inspect_array_sharding(
                    x, callback=lambda s: seen.update({len(x): s.shard_shape(x.shape)})
                )
            return x

    examples = flat()
    fit(
        Watched(), MULTICLASS, OPTIMIZER, examples, num_epochs=1, batch_size=BATCH,
        key=jax.random.key(0),
    )  # fmt: skip
    assert seen == {32: (4, 3), 13: (13, 3)}  # the short batch is computed by all


@pytest.mark.parametrize("case", ["mlp", "cnn with dropout", "bag of words"])
def test_a_step_sends_its_gradients_once_and_nothing_else(case):
    model, objective, examples = CASES[case]
    plan, key = device_mesh(), jax.random.key(0)
    state = init_state(model, OPTIMIZER, key, examples.inputs)
    totals = zero_totals(model, objective, state, examples)
    state, totals, key, order, examples = mesh.put(
        (state, totals, key, np.arange(SIZE), examples), plan
    )
    step = train_batches.lower(
        model, objective, OPTIMIZER, state, totals, examples, order, key, 0, 1,
        batch_size=BATCH, mesh=plan,
    )  # fmt: skip
    program = step.compile().as_text() or ""
    sent = re.findall(r"= (\S.*?) (all-\w+|collective-\w+|reduce-scatter)\(", program)
    assert {kind for _, kind in sent} == {"all-reduce"}
    shapes = re.findall(r"f32\[([\d,]*)\]", " ".join(what for what, _ in sent))
    sizes = [math.prod(map(int, filter(None, shape.split(",")))) for shape in shapes]
    # The gradients, and the sums of the loss and of the accuracy.
    assert sum(sizes) == sum(a.size for a in jax.tree.leaves(state.params)) + 2


@pytest.mark.parametrize("count", [1, 2])
def test_batches_that_are_cut_over_the_devices_beforehand(count):
    model, objective, examples = CASES["mlp"]
    plan, order = device_mesh(), np.random.default_rng(1).permutation(SIZE)
    laid = batches_of(examples, order[: 2 * BATCH].reshape(2, BATCH), plan)
    shapes = {a.sharding.shard_shape(a.shape) for a in jax.tree.leaves(laid)}
    assert shapes == {(2, BATCH // 8, 100), (2, BATCH // 8)}

    def steps(data, order):
        state = init_state(model, OPTIMIZER, jax.random.key(0), examples.inputs)
        totals = zero_totals(model, objective, state, examples)
        state, totals, key = mesh.put((state, totals, jax.random.key(1)), plan)
        first = (2 - count) * BATCH
        return train_batches(
            model, objective, OPTIMIZER, state, totals, data, order, key, first, count,
            batch_size=BATCH, mesh=plan,
        )  # fmt: skip

    drawn = steps(*mesh.put((examples, order), plan, whole=True))
    chex.assert_trees_all_equal(steps(laid, None), drawn)


def test_batches_that_do_not_divide_lie_whole():
    inputs, _ = jax.tree.leaves(batches_of(flat(), np.arange(13)[None], device_mesh()))
    assert inputs.shape == (1, 13, 100)
    assert inputs.sharding.is_fully_replicated
    np.testing.assert_array_equal(inputs[0], flat().inputs[:13])


def test_a_kernel_may_be_cut_over_the_model_axis(monkeypatch):
    monkeypatch.setattr(mesh, "_LARGE", 100 * 8)
    cut = run(mesh=device_mesh(model=2))
    parts = {a.shape: a.sharding.shard_shape(a.shape) for a in jax.tree.leaves(cut.state)}
    # The first kernel and its momentum; all else lies whole, the second kernel among it.
    assert parts == {(100, 8): (100, 4), (8,): (8,), (8, 3): (8, 3), (3,): (3,), (): ()}
    assert_same(cut.state, alone().state)


def test_a_checkpoint_goes_on_on_another_number_of_devices():
    kept = []
    whole = run(
        checkpoint=lambda c: kept.append(jax.device_get((c.state, c.totals))), checkpoint_every=1
    )
    for after, devices in ((1, 2), (2, 1), (3, 8)):  # the third one ends an epoch
        state, totals = kept[after - 1]
        start = Checkpoint(state, totals, whole.history[: after // 3])
        again = run(start=start, mesh=device_mesh(jax.devices()[:devices]))
        assert_same(again.state, whole.state)
        assert_same(figures(again), figures(whole))


def test_a_checkpoint_on_the_devices_stays_as_it_is():
    start = Checkpoint(run(num_epochs=1).state, {}, [])
    before = jax.device_get(start.state)
    run(start=start)
    chex.assert_trees_all_equal(jax.device_get(start.state), before)


def test_a_hand_derivation_too():
    changes = {
        "case": "cnn with dropout",
        "by_hand": backprop.cnn(CASES["cnn with dropout"][0].dropout_rate),
    }
    assert_same(run(**changes).state, alone(**changes).state)


def test_make_train_and_an_ensemble_of_it():
    case = "cnn with dropout"
    model, objective, examples = CASES[case]
    train = make_train(model, objective, OPTIMIZER, Data(examples, examples), Schedule(2, BATCH))
    state, history = train(jax.random.key(0))
    expected = alone(case)
    assert_same(state, expected.state)
    assert_same(list(history["val_loss"]), [row["val_loss"] for row in expected.history])
    keys = jax.random.split(jax.random.key(1), 2)
    _, together = jax.vmap(train)(keys)
    assert_same(together["loss"], jnp.stack([train(key)[1]["loss"] for key in keys]))


def test_calls_of_an_ensemble_are_one_program_also_from_states_of_the_host():
    model, objective, examples = CASES["mlp"]
    data, keys = Data(examples, examples), jax.random.split(jax.random.key(1), 2)
    train = make_ensemble(model, objective, OPTIMIZER, data, Schedule(2, BATCH))
    made = _some_steps._cache_size  # pyright: ignore[reportAttributeAccessIssue]
    before, kept = made(), []
    states, _ = train(keys, {}, checkpoint=lambda one: kept.append(jax.device_get(one)))
    assert [one.step for one in kept] == [1, 2, 3, 4, 5, 6]
    assert made() == before + 2  # one of whole batches, one of the last
    for one in kept:
        resumed, _ = train(keys, {}, start=one)
        chex.assert_trees_all_equal(resumed, states)
    assert made() == before + 2


def test_a_trained_state_is_evaluated_where_it_lies():
    model, objective, examples = CASES["mlp"]
    done = run()
    figure = evaluate(model, objective, done.state, examples)["accuracy"]
    assert float(figure) == pytest.approx(done.history[-1]["val_accuracy"], rel=1e-6)


def test_a_batch_that_does_not_divide():
    model, objective, examples = CASES["mlp"]
    message = (
        "batch_size: expected a multiple of 8, the number of devices that share a batch, as 24 or "
        "32; got 30, for which a mesh of 6 would do"
    )
    with pytest.raises(ValueError, match=message):
        run(batch_size=30)
    with pytest.raises(ValueError, match=message):
        make_train(model, objective, OPTIMIZER, Data(examples), Schedule(2, 30))
    run(batch_size=30, mesh=device_mesh(jax.devices()[:6]))


def test_a_model_axis_that_does_not_divide_the_devices():
    with pytest.raises(ValueError, match=r"model: expected a divisor .* \[1, 2, 4, 8\]; got 3"):
        device_mesh(model=3)
