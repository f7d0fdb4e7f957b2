"""What is said of data and settings that do not fit, before anything is compiled."""

import jax
import jax.numpy as jnp
from flax import linen as nn

from dl_jax.losses import Objective
from dl_jax.train.state import Examples, as_model_inputs


def check_examples(model: nn.Module, objective: Objective, examples: Examples, name: str) -> None:
    """Raise a ValueError unless the model takes the inputs and the objective the targets.

    Args:
        model: a Flax module.
        objective: what is to be minimised.
        examples: the data.
        name: what the message calls them.
    """
    inputs, targets = examples
    if len(inputs) != len(targets) or len(inputs) == 0:
        raise ValueError(
            f"{name}: expected as many inputs as targets and at least one, "
            f"got {len(inputs)} inputs and {len(targets)} targets"
        )

    def outputs(inputs, targets):
        logits, _ = model.init_with_output(jax.random.key(0), as_model_inputs(inputs))
        return logits, objective.loss(logits, jnp.asarray(targets))

    logits, _ = jax.eval_shape(outputs, inputs[:1], targets[:1])
    if targets.ndim == 1 and jnp.issubdtype(targets.dtype, jnp.integer):
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
