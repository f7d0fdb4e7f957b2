"""One step of training, and the same network's answers without training."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from jax import lax
from jax.sharding import Mesh
from jaxtyping import Array, Float, Key, Shaped

from dl_jax.backprop import Network, value_and_grad
from dl_jax.losses import Objective
from dl_jax.train.mesh import among, over_devices
from dl_jax.train.state import Examples, TrainState, as_model_inputs

Metrics = dict[str, Float[Array, ""]]


def train_step(
    model: nn.Module,
    objective: Objective,
    optimizer: optax.GradientTransformation,
    state: TrainState,
    batch: Examples,
    noise: Key[Array, ""],
    by_hand: Network | None = None,
) -> tuple[TrainState, Metrics]:
    """Make one update, `w <- w + optimizer(dE/dw)` with E the mean loss of the batch.

    Args:
        model: a Flax module.
        objective: what is minimised.
        optimizer: an optax optimizer.
        state: before the step.
        batch: `[batch_size, ...]` each.
        noise: the run's key for dropout; folded with the step here.
        by_hand: the model's hand derivation, to be taken instead of automatic differentiation,
            with the model's activation and dropout rate and the objective's loss; `fit` and
            `make_train` compare them.

    Returns:
        The state after the step; `loss` and the objective's metrics, means over the batch, of the
        parameters before it.
    """
    key = jax.random.fold_in(noise, state.step)
    targets = jnp.asarray(batch.targets)

    inputs = as_model_inputs(batch.inputs)

    def mean_loss(params):
        logits, model_state = model.apply(
            {"params": params, **state.model_state},
            inputs,
            train=True,
            rngs={"dropout": key},
            mutable=list(state.model_state),
        )
        return jnp.mean(objective.loss(logits, targets)), (logits, model_state)

    if by_hand is None:
        grad = jax.value_and_grad(mean_loss, has_aux=True)
        (loss, (logits, model_state)), grads = grad(state.params)
    else:
        (loss, logits), grads = value_and_grad(by_hand, state.params, inputs, targets, key)
        model_state = state.model_state
    updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    metrics = {"loss": loss.astype(_wide(loss)), **_means(objective.metrics(logits, targets))}
    return TrainState(state.step + 1, params, dict(model_state), opt_state), metrics


@partial(jax.jit, static_argnames=("model", "batch_size", "mesh"))
def predict(
    model: nn.Module,
    state: TrainState,
    inputs: Shaped[Array | np.ndarray, "n ..."],
    batch_size: int = 256,
    mesh: Mesh | None = None,
) -> Float[Array, "n k"]:
    """Return the logits of each example, computed a batch at a time; composes under jit and vmap.

    Args:
        model: a Flax module.
        state: of which the parameters and the model's state are used.
        inputs: `[n, ...]`.
        batch_size: how many examples at a time; affects memory and speed alone.
        mesh: on whose devices the arguments lie; each batch is cut over its `data` axis.

    Raises:
        ValueError: if the batch size is not positive.
    """
    if batch_size < 1:
        raise ValueError(f"predict: expected a batch_size of at least 1, got {batch_size}")

    inputs = jnp.asarray(inputs)

    def logits(inputs: jax.Array) -> jax.Array:
        variables = {"params": state.params, **state.model_state}
        inputs = over_devices(inputs, mesh)
        with among(mesh):
            output = model.apply(variables, as_model_inputs(inputs), train=False)
        assert isinstance(output, jax.Array)
        return output

    size = len(inputs)
    if size <= batch_size:
        return logits(inputs)
    # The last batch begins early enough to be whole: one shape is one compilation.
    starts = jnp.minimum(jnp.arange(0, size, batch_size), size - batch_size)
    batches = lax.map(
        lambda start: logits(lax.dynamic_slice_in_dim(inputs, start, batch_size)), starts
    )
    first = batches[:-1].reshape(-1, *batches.shape[2:])
    return jnp.concatenate([first, batches[-1, len(first) - size :]])


@partial(jax.jit, static_argnames=("model", "objective", "mesh"))
def evaluate(
    model: nn.Module,
    objective: Objective,
    state: TrainState,
    examples: Examples,
    mesh: Mesh | None = None,
) -> Metrics:
    """Return `loss` and the objective's metrics, means over all examples, without dropout.

    `mesh` is that of `predict`.
    """
    logits = predict(model, state, examples.inputs, mesh=mesh)
    targets = jnp.asarray(examples.targets)
    return _means({"loss": objective.loss(logits, targets), **objective.metrics(logits, targets)})


def _means(figures: dict[str, Float[Array, " n"]]) -> Metrics:
    return {name: jnp.mean(figure, dtype=_wide(figure)) for name, figure in figures.items()}


def _wide(figure: jax.Array) -> Any:
    """float32 at least: a narrower number cannot count the examples of an epoch."""
    return jnp.promote_types(figure.dtype, jnp.float32)
