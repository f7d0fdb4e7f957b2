"""What is said of data and settings that do not fit, before anything is compiled."""

from collections.abc import Mapping
from inspect import unwrap
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from dl_jax.backprop import Network
from dl_jax.losses import BINARY, MULTICLASS, Objective
from dl_jax.ops.compile_once import compile_once
from dl_jax.train.leaves import names_of
from dl_jax.train.state import Examples, TrainState, as_model_inputs

_COMPARED = 4  # examples on which a hand derivation and the model must agree


def check_examples(
    model: nn.Module,
    objective: Objective,
    examples: Examples,
    name: str,
    *,
    like: Examples | None = None,
) -> None:
    """Raise a ValueError unless the model takes the inputs and the objective the targets.

    Args:
        model: a Flax module.
        objective: what is to be minimised.
        examples: the data.
        name: what the message calls them.
        like: examples whose shape and dtype the inputs must have.
    """
    inputs, targets = examples
    if len(inputs) != len(targets) or len(inputs) == 0:
        raise ValueError(
            f"{name}: expected as many inputs as targets and at least one, "
            f"got {len(inputs)} inputs and {len(targets)} targets"
        )

    if like is not None:
        expected, got = ((e.inputs.dtype, e.inputs.shape[1:]) for e in (like, examples))
        if expected != got:
            raise ValueError(
                f"{name}: expected inputs like the training data's, {expected[0]} "
                f"{list(expected[1])} each, got {got[0]} {list(got[1])}"
            )

    def outputs(inputs, targets):
        logits, _ = model.init_with_output(jax.random.key(0), as_model_inputs(inputs), train=False)
        targets = jnp.asarray(targets)
        return logits, objective.loss(logits, targets), objective.metrics(logits, targets)

    logits, *_ = jax.eval_shape(outputs, inputs[:1], targets[:1])
    of_labels = [unwrap(one.loss) for one in (BINARY, MULTICLASS)]  # as heads wrap them
    if targets.ndim == 1 and unwrap(objective.loss) in of_labels:
        num_classes = max(2, logits.shape[-1])
        lowest, highest = np.min(targets), np.max(targets)  # compiles nothing
        if lowest < 0 or highest >= num_classes:
            raise ValueError(
                f"{name}: expected labels from 0 to {num_classes - 1} for a model with "
                f"{logits.shape[-1]} outputs, got labels from {lowest} to {highest}"
            )


def check_by_hand(
    model: nn.Module, objective: Objective, by_hand: Network, examples: Examples
) -> None:
    """Raise a ValueError unless the hand derivation is of this model and this objective.

    Compared are logits, with dropout, and losses of a few examples; another activation, dropout
    rate or loss would train without an error, and be another network.

    Args:
        model: a Flax module.
        objective: what is to be minimised.
        by_hand: what is to be taken for the gradients of both.
        examples: the data.
    """
    inputs, targets = (jnp.asarray(a[:_COMPARED]) for a in examples)
    key = jax.random.key(0)

    def both():
        x = as_model_inputs(inputs)
        variables = model.init(key, x, train=False)
        logits = model.apply(variables, x, train=True, rngs={"dropout": key})
        assert isinstance(logits, jax.Array)
        own, _ = by_hand.forward(variables["params"], x, key)
        own_loss, _ = by_hand.loss.forward(own, targets)
        return (logits, own), (objective.loss(logits, targets), own_loss)

    for name, (expected, got) in zip(("logits", "losses"), compile_once(both)(), strict=True):
        if expected.shape != got.shape or not np.allclose(expected, got, 1e-2, 1e-3):
            raise ValueError(
                f"by_hand: expected the {name} of {type(model).__name__} and its objective, "
                f"{_some(expected)}, got {_some(got)}; give the hand derivation the model's "
                "activation and dropout rate and the objective's loss"
            )


def _some(figures: jax.Array) -> str:
    return f"{list(figures.shape)} beginning with {np.asarray(figures).ravel()[:3].tolist()}"


def check_start(expected: TrainState, state: TrainState) -> None:
    """Raise a ValueError that names the leaves in which a state is not one of this training.

    Args:
        expected: the shapes of one, by `jax.eval_shape`.
        state: to go on from.
    """
    kinds, got = _kinds(expected), _kinds(state)
    wrong = [name for name in kinds | got if kinds.get(name) != got.get(name)]
    if wrong:
        said = (f"{n} {kinds.get(n, 'none')}, got {got.get(n, 'none')}" for n in wrong[:3])
        more = f"; {len(wrong) - 3} more do not fit" if len(wrong) > 3 else ""
        raise ValueError(f"start: expected {'; '.join(said)}{more}")


def steps_of(states: TrainState) -> int:
    """Return how many steps are behind the states of an ensemble.

    Args:
        states: with a leading axis of members.

    Raises:
        ValueError: if they are not all behind the same.
    """
    made = sorted(set(np.asarray(states.step).tolist()))
    if len(made) > 1:
        got = ", ".join(map(str, made))
        raise ValueError(f"start: expected all members behind the same step, got {got}")
    return made[0]


def check_totals(done: int, totals: Mapping[str, Any], nonfinite: str) -> None:
    """Raise a ValueError unless the totals of an epoch that has begun are those of this run.

    Args:
        done: steps of the epoch so far.
        totals: sums over their examples, by metric.
        nonfinite: what becomes of updates that are not finite.
    """
    if done and not totals:
        raise ValueError(
            f"start: its epoch has made {done} steps; expected the totals of them, got none"
        )
    if nonfinite == "stop" and np.any(totals.get("skipped", 0)):
        raise ValueError(
            "start: updates of the epoch that has begun were left out; expected nonfinite='skip', "
            "got 'stop'"
        )


def _kinds(state: TrainState) -> dict[str, str]:
    leaves = zip(names_of(state), jax.tree.leaves(state), strict=True)
    return {name: f"{leaf.dtype}{list(leaf.shape)}" for name, leaf in leaves}


def check_schedule(num_epochs: int, batch_size: int, size: int) -> None:
    """Raise a ValueError unless there is at least one epoch, and a batch fits the data."""
    if num_epochs < 1:
        raise ValueError(f"num_epochs: expected at least 1, got {num_epochs}")
    if not 1 <= batch_size <= size:
        raise ValueError(
            f"batch_size: expected from 1 to the number of training examples, {size}, "
            f"got {batch_size}"
        )
