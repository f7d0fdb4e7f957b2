"""Hyperparameters as data, so that runs which differ in them are one program."""

import dataclasses
from collections.abc import Mapping

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from dl_jax.models.layers import DATA_FIELDS
from dl_jax.train.state import TrainState

Hyperparams = Mapping[str, Float[Array, "..."] | float]


def with_hyperparams(model: nn.Module | None, state: TrainState, values: Hyperparams) -> TrainState:
    """Return the state with these hyperparameters in place of those it was made with.

    An optimizer made by `optax.inject_hyperparams` holds its floats in its state; what it does not
    hold is a field of the model that its `data_fields` name, and becomes a variable of it.

    Args:
        model: a Flax module; None for none of its fields.
        state: of which nothing else changes.
        values: scalars by name, as `{"learning_rate": 1e-3}`.

    Raises:
        ValueError: for a name that is data neither to the optimizer nor to the model.
    """
    held = getattr(state.opt_state, "hyperparams", {})
    fields = getattr(model, "data_fields", ())
    unknown = [name for name in values if name not in held and name not in fields]
    if unknown:
        raise ValueError(
            f"hyperparams: {', '.join(unknown)}: expected some of "
            f"{', '.join([*held, *fields]) or 'none at all'}; make the optimizer with "
            "optax.inject_hyperparams, so that its floats are data"
        )
    mine = {k: jnp.asarray(v, held[k].dtype) for k, v in values.items() if k in held}
    models = {k: jnp.asarray(v, jnp.float32) for k, v in values.items() if k not in held}
    if mine:
        opt_state = state.opt_state._replace(hyperparams={**held, **mine})  # pyright: ignore[reportAttributeAccessIssue]
        state = dataclasses.replace(state, opt_state=opt_state)
    if models:
        model_state = {**state.model_state, DATA_FIELDS: models}
        state = dataclasses.replace(state, model_state=model_state)
    return state
