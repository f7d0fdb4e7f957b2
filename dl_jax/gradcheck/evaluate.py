"""A network evaluated by hand and automatically, in one program."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax

from dl_jax import backprop, losses
from dl_jax.backprop.proof import Precision

NUM_DIRECTIONS = 4
STEP = 1e-7
"""Of the differences: small, so that kinks are rarely near."""
KINK_BOUND = 1e-6
"""How far the slopes of the two sides may be apart, relative, where there is no kink between."""


class Evaluated(NamedTuple):
    """Trees of loss, logits and parameters, and whether a kink was near.

    Attributes:
        by_hand: outputs and gradients, in float64, as everything here; None where the precision
            under test is another.
        right: the module's, in float64.
        scales: what errors are relative to, in its largest entry.
        slopes: the errors of differences, relative already; None where there are none.
        kink: whether the differences went across one.
    """

    by_hand: Any
    right: Any
    scales: Any
    slopes: Any
    kink: Any


def evaluate(
    model: nn.Module,
    network: backprop.Network,
    objective: losses.Objective,
    precision: Precision,
    params: Any,
    inputs: jax.Array,
    targets: jax.Array,
    key: jax.Array,
) -> Evaluated:
    """Return outputs and gradients of both in float64, and what it takes to compare them.

    Args:
        model: a Flax module.
        network: its hand derivation.
        objective: what the module is trained with.
        precision: of the hand derivation.
        params: of the module, in float64.
        inputs: as the module takes them.
        targets: as the objective takes them.
        key: for dropout.
    """

    def losses_of(params):
        logits = model.apply({"params": params}, inputs, train=True, rngs={"dropout": key})
        assert isinstance(logits, jax.Array)
        return objective.loss(logits, targets), logits

    def mean_loss(params):
        E, logits = losses_of(params)
        return E.mean(), logits

    (true_E, true_logits), right = jax.value_and_grad(mean_loss, has_aux=True)(params)
    by_hand, scales, slopes, kink = None, right, jax.tree.map(lambda _: None, right), False
    if precision == "float64":
        by_hand = derive(network, params, inputs, targets, key)
        gradients = {name: g for name, g in by_hand.items() if name not in ("loss", "logits")}
        slopes, kink = _slope_errors(lambda p: losses_of(p)[0], params, gradients, right)
    else:
        scales = _sums(network, objective, params, inputs, targets, key)
    outputs = {"loss": true_E, "logits": true_logits}
    return Evaluated(
        by_hand,
        {**outputs, **right},
        {**outputs, **scales},
        {**dict.fromkeys(outputs), **slopes},
        kink,
    )


def derive(
    network: backprop.Network, params: Any, inputs: jax.Array, targets: jax.Array, key: jax.Array
) -> dict[str, Any]:
    """Return loss, logits and gradients by hand, in the precision of parameters and inputs.

    Args:
        network: the hand derivation.
        params: of the module.
        inputs: as the module takes them.
        targets: as the objective takes them.
        key: for dropout.
    """
    (E, logits), gradients = backprop.value_and_grad(network, params, inputs, targets, key)
    return {"loss": E, "logits": logits, **gradients}


def _sums(
    network: backprop.Network,
    objective: losses.Objective,
    params: Any,
    inputs: jax.Array,
    targets: jax.Array,
    key: jax.Array,
) -> Any:
    """Each gradient with the absolute values of the terms that it is the sum of."""
    logits, way = network.forward(params, inputs, key)
    E, loss_way = network.loss.forward(logits, targets)
    d_logits, _ = network.loss.backward(loss_way, jnp.full_like(E, 1 / E.size))
    y_plus_t = 2 * objective.activation(logits) / E.size - d_logits  # d_logits is (y - t) / n
    return network.backward(jax.tree.map(jnp.abs, way), y_plus_t)


def _slope_errors(
    f: Callable[[Any], jax.Array], params: Any, by_hand: Any, right: Any
) -> tuple[Any, jax.Array]:
    """The largest error of differences for each parameter, and whether a kink was between."""
    flat, tree = jax.tree.flatten(params)
    here, keys = f(params), jax.random.split(jax.random.key(0), (len(flat), NUM_DIRECTIONS))

    def error(direction: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        which, key = direction
        v = [
            jnp.where(which == i, jax.random.rademacher(key, p.shape, p.dtype), 0)
            for i, p in enumerate(flat)
        ]
        up, down = ([p + h * s for p, s in zip(flat, v, strict=True)] for h in (STEP, -STEP))
        above = (f(jax.tree.unflatten(tree, up)) - here).mean() / STEP
        below = (here - f(jax.tree.unflatten(tree, down))).mean() / STEP
        slope = _total(g * s for g, s in zip(jax.tree.leaves(by_hand), v, strict=True))
        scale = _total(jnp.abs(g * s) for g, s in zip(jax.tree.leaves(right), v, strict=True))
        return jnp.abs((above + below) / 2 - slope) / scale, jnp.abs(above - below) / scale

    which = jnp.broadcast_to(jnp.arange(len(flat))[:, None], keys.shape)
    errors, apart = lax.map(error, (which.reshape(-1), keys.reshape(-1)))
    worst = errors.reshape(keys.shape).max(1)
    return jax.tree.unflatten(tree, list(worst)), (apart > KINK_BOUND).any()


def _total(terms: Iterable[jax.Array]) -> jax.Array:
    return jnp.stack([term.sum() for term in terms]).sum()
