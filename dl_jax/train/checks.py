"""What is said of data and settings that do not fit, before anything is compiled."""

import jax
import jax.numpy as jnp
from flax import linen as nn

from dl_jax.losses import BINARY, MULTICLASS, Objective
from dl_jax.train.state import Examples, as_model_inputs


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
    if targets.ndim == 1 and objective.loss in (BINARY.loss, MULTICLASS.loss):
        num_classes = max(2, logits.shape[-1])
        lowest, highest = int(jnp.min(targets)), int(jnp.max(targets))
        if lowest < 0 or highest >= num_classes:
            raise ValueError(
                f"{name}: expected labels from 0 to {num_classes - 1} for a model with "
                f"{logits.shape[-1]} outputs, got labels from {lowest} to {highest}"
            )


def check_schedule(num_epochs: int, batch_size: int, size: int) -> None:
    """Raise a ValueError unless there is at least one epoch, and a batch fits the data."""
    if num_epochs < 1:
        raise ValueError(f"num_epochs: expected at least 1, got {num_epochs}")
    if not 1 <= batch_size <= size:
        raise ValueError(
            f"batch_size: expected from 1 to the number of training examples, {size}, "
            f"got {batch_size}"
        )
