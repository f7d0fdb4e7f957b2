"""The loss of a network with heads on the way: what counts in training, and what answers."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn

from dl_jax.losses import BINARY, MULTICLASS, REGRESSION, with_auxiliary_heads
from dl_jax.train import Examples, fit

LABELS = jnp.array([2, 0])


@pytest.fixture
def logits(key):
    """Two examples, the network's own logits and those of two heads, three classes."""
    return jax.random.normal(key, (2, 3, 3))


def test_the_heads_count_by_their_weight(logits):
    main, first, second = (MULTICLASS.loss(logits[:, i], LABELS) for i in range(3))
    # Three terms in the order of the sum that is tested: they differ by a rounding at most.
    for weight, expected in (
        (0.3, main + 0.3 * (first + second)),
        (2.0, main + 2 * first + 2 * second),
    ):
        loss = with_auxiliary_heads(MULTICLASS, weight).loss(logits, LABELS)
        np.testing.assert_allclose(loss, expected, rtol=1e-6)
    default = with_auxiliary_heads(MULTICLASS).loss(logits, LABELS)
    np.testing.assert_allclose(default, main + 0.3 * (first + second), rtol=1e-6)


def test_only_the_networks_own_logits_answer(logits):
    heads = with_auxiliary_heads(MULTICLASS)
    own = logits[:, 0]
    assert jnp.array_equal(heads.activation(logits), MULTICLASS.activation(own))
    assert jnp.array_equal(heads.predict(logits), MULTICLASS.predict(own))
    right = heads.predict(logits)
    assert heads.metrics(logits, right)["accuracy"].tolist() == [1, 1]
    assert heads.metrics(logits, (right + 1) % 3)["accuracy"].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("objective", "targets"),
    [(MULTICLASS, LABELS), (MULTICLASS, jnp.eye(3)[:2]), (REGRESSION, jnp.ones((2, 3)))],
)
def test_without_heads_it_is_the_objective(objective, targets, logits):
    heads, own = with_auxiliary_heads(objective), logits[:, 0]
    for alone in (own, own[:, None]):
        assert jnp.array_equal(heads.loss(alone, targets), objective.loss(own, targets))
        assert jnp.array_equal(heads.activation(alone), objective.activation(own))
        assert heads.metrics(alone, targets).keys() == objective.metrics(own, targets).keys()


def test_one_logit_an_example_has_heads_too():
    z = jnp.array([[[1.0], [-2.0]], [[0.5], [3.0]]])
    expected = BINARY.loss(z[:, 0], jnp.array([1, 0])) + 0.3 * BINARY.loss(
        z[:, 1], jnp.array([1, 0])
    )
    loss = with_auxiliary_heads(BINARY).loss(z, jnp.array([1, 0]))
    np.testing.assert_allclose(loss, expected, rtol=1e-6)


def test_the_same_arguments_give_the_same_objective():
    assert with_auxiliary_heads(MULTICLASS, 0.1) is with_auxiliary_heads(MULTICLASS, 0.1)
    assert with_auxiliary_heads(MULTICLASS, 0.1) is not with_auxiliary_heads(MULTICLASS, 0.2)


@pytest.mark.parametrize("shape", [(3,), (2, 0, 3), (2, 1, 3, 3)])
@pytest.mark.parametrize("part", ["loss", "metrics", "predict", "activation"])
def test_logits_that_are_neither(part, shape):
    arguments = (jnp.zeros(shape), LABELS)[: 1 + (part in ("loss", "metrics"))]
    with pytest.raises(ValueError, match=r"expected logits \[n, 1 \+ m, k\] or \[n, k\], got \("):
        getattr(with_auxiliary_heads(MULTICLASS), part)(*arguments)


@pytest.mark.parametrize("weight", [-0.1, float("nan")])
def test_a_weight_that_rewards_losses(weight):
    with pytest.raises(ValueError, match="a weight of at least 0, got"):
        with_auxiliary_heads(MULTICLASS, weight)


class WithHead(nn.Module):
    """The smallest network with a head."""

    @nn.compact
    def __call__(self, x, *, train: bool = False):
        hidden = nn.relu(nn.Dense(4)(x))
        logits, head = nn.Dense(3)(hidden), nn.Dense(3, name="head")(hidden)
        return jnp.stack([logits, head], axis=1) if train else logits


def test_training_moves_the_heads_and_checks_the_labels(key):
    labels = np.arange(12) % 3
    examples = Examples(np.eye(3, dtype=np.float32)[labels], labels.astype(np.int32))
    settings = {"num_epochs": 30, "batch_size": 6, "key": key, "progress": False}
    objective = with_auxiliary_heads(MULTICLASS)
    done = fit(WithHead(), objective, optax.adam(0.1), examples, validation=examples, **settings)
    assert done.history[-1]["accuracy"] == done.history[-1]["val_accuracy"] == 1
    # Without heads the validation's loss is the network's own.
    assert done.history[-1]["val_loss"] < done.history[-1]["loss"]
    assert float(jnp.abs(done.state.params["head"]["bias"]).max()) > 0
    wrong = examples._replace(targets=examples.targets + 1)
    with pytest.raises(ValueError, match=r"expected labels from 0 to 2 .*, got labels from 1 to 3"):
        fit(WithHead(), objective, optax.adam(0.1), wrong, **settings)
