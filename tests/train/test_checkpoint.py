"""A run that goes on from a checkpoint is the run that was never stopped, bit by bit."""

import chex
import jax
import jax.numpy as jnp
import optax
import pytest
from flax import linen as nn

from dl_jax.losses import MULTICLASS
from dl_jax.models import MLP
from dl_jax.models.layers import Dropout
from dl_jax.train import Checkpoint, Fit, TrainState, fit, init_state


class Dropping(nn.Module):
    """Whose steps draw random numbers."""

    @nn.compact
    def __call__(self, inputs, *, train=False):
        hidden = nn.relu(nn.Dense(8)(inputs))
        return nn.Dense(3)(Dropout(0.5)(hidden, train=train))


MODEL, OPTIMIZER = Dropping(), optax.adam(1e-2)


def run(examples, **changes) -> Fit:
    settings = {"num_epochs": 3, "batch_size": 16, "key": jax.random.key(0), "progress": False}
    return fit(MODEL, MULTICLASS, OPTIMIZER, examples, **settings | changes)


def figures(history):
    return [{k: v for k, v in row.items() if "seconds" not in k} for row in history]


def copied(checkpoint: Checkpoint) -> Checkpoint:
    history = list(checkpoint.history)
    return jax.tree.map(jnp.copy, checkpoint._replace(history=()))._replace(history=history)


def test_from_each_checkpoint_the_run_ends_the_same(examples):
    kept: list[Checkpoint] = []
    whole = run(
        examples, validation=examples, checkpoint=lambda c: kept.append(copied(c)),
        checkpoint_every=1,
    )  # fmt: skip
    # Behind each of 4 steps of 3 epochs, behind the last one of an epoch with its row.
    assert [int(c.state.step) for c in kept] == list(range(1, 13))
    assert [len(c.history) for c in kept] == [0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3]
    for checkpoint in kept:
        again = run(examples, validation=examples, start=checkpoint)
        chex.assert_trees_all_equal(again.state, whole.state)
        assert figures(again.history) == figures(whole.history)


def test_a_checkpoint_stays_as_it_is(examples):
    kept: list[Checkpoint] = []
    run(examples, num_epochs=1, checkpoint=lambda c: kept.append(copied(c)))
    first, second = (run(examples, start=kept[-1]) for _ in range(2))  # donation took nothing
    chex.assert_trees_all_equal(first.state, second.state)
    assert len(kept[-1].history) == 1


def test_a_state_within_an_epoch_without_what_the_epoch_has_summed(examples):
    kept: list[Checkpoint] = []
    run(examples, num_epochs=1, checkpoint=lambda c: kept.append(copied(c)), checkpoint_every=1)
    with pytest.raises(ValueError, match="its epoch has made 1 steps; expected the totals"):
        run(examples, start=Checkpoint(kept[0].state))


def test_what_a_checkpoint_raises_ends_the_run(examples):
    def full(_: Checkpoint) -> None:
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space"):
        run(examples, checkpoint=full)


def test_weights_of_another_training_are_a_start(examples, key):
    other = init_state(MODEL, optax.identity(), key, examples.inputs).params
    state = TrainState(jnp.zeros((), jnp.int32), other, {}, OPTIMIZER.init(other))
    tuned = run(examples, start=Checkpoint(state))
    assert len(tuned.history) == 3
    fresh = run(examples)
    assert tuned.history[0]["loss"] != fresh.history[0]["loss"]


def test_a_state_of_another_network_or_optimizer(examples, key):
    wide = init_state(MLP((9, 3)), OPTIMIZER, key, examples.inputs)
    with pytest.raises(
        ValueError, match=r"expected params.Dense_0.bias float32\[8\], got float32\[9\]; "
    ):
        run(examples, start=Checkpoint(wide))
    plain = init_state(MODEL, optax.sgd(0.1), key, examples.inputs)
    with pytest.raises(ValueError, match=r"start: expected opt_state.0.count int32\[\], got none"):
        run(examples, start=Checkpoint(plain))
