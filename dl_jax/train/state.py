"""What training carries from step to step, and what it is made from."""

from typing import Any, NamedTuple

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from jaxtyping import Array, Int, Key, Num, PyTree, Shaped


class Examples(NamedTuple):
    """Inputs beside their targets; any pair of such arrays will do.

    Attributes:
        inputs: `[n, ...]`: images as uint8 in 0..255, token ids as integers, or floats.
        targets: `[n, ...]`.
    """

    inputs: Shaped[Array | np.ndarray, "n ..."]
    targets: Shaped[Array | np.ndarray, "n ..."]


@flax.struct.dataclass
class TrainState:
    """Data only: what a step changes.

    Attributes:
        step: int32, how many updates have been made.
        params: the model's parameters.
        model_state: the model's other collections, as batch statistics; `{}` if it has none.
        opt_state: the optimizer's state.
    """

    step: Int[Array, ""]
    params: PyTree
    model_state: dict[str, Any]
    opt_state: optax.OptState


class Streams(NamedTuple):
    """The independent random streams of a run, all from its one key.

    Attributes:
        init: for the parameters.
        order: folded with the epoch, for the order of the examples.
        noise: folded with the step, for dropout.
    """

    init: Key[Array, ""]
    order: Key[Array, ""]
    noise: Key[Array, ""]


def streams(key: Key[Array, ""]) -> Streams:
    """Split a run's key. Nothing carries a key: a resumed run is the uninterrupted one."""
    return Streams(*jax.random.split(key, 3))


def init_state(
    model: nn.Module,
    optimizer: optax.GradientTransformation,
    key: Key[Array, ""],
    inputs: Shaped[Array | np.ndarray, "..."],
) -> TrainState:
    """Return the state before the first step.

    Args:
        model: a Flax module.
        optimizer: an optax optimizer.
        key: the random key of the parameters.
        inputs: one or more examples, `[n, ...]`, for their shape and dtype alone.
    """
    variables = dict(model.init(key, as_model_inputs(inputs[:1]), train=False))
    params = variables.pop("params")
    return TrainState(jnp.zeros((), jnp.int32), params, variables, optimizer.init(params))


def as_model_inputs(inputs: Shaped[Array | np.ndarray, "n ..."]) -> Num[Array, "n ..."]:
    """Bring uint8 images to float32 in 0..1, as the slide does; leave everything else as it is."""
    if inputs.dtype == jnp.uint8:
        return jnp.asarray(inputs, jnp.float32) / 255
    return jnp.asarray(inputs)
