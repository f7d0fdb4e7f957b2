"""Learning by the perceptron's rule."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from dl_jax import backprop


class Neuron(NamedTuple):
    """Weights and bias; the decision is +1 where `w . x + b >= 0`, and -1 elsewhere."""

    w: Float[Array, " k"]
    b: Float[Array, ""]


def perceptron_rule(
    x: Float[Array, "n k"], t: Int[Array, " n"], num_epochs: int, learning_rate: float
) -> Neuron:
    """Learn from one example after the other, by `backprop.perceptron_rule`.

    The mean of all the weights on the
    way is returned, which unlike the last ones settles where no line separates the classes (Freund
    and Schapire 1999).

    Args:
        x: inputs.
        t: targets, -1 or +1.
        num_epochs: how many times each example is seen.
        learning_rate: epsilon.
    """

    def see(neuron, example):
        x, t = example
        d_w, d_b = backprop.perceptron_rule(x, t, neuron.w, neuron.b, learning_rate)
        neuron = Neuron(neuron.w + d_w, neuron.b + d_b)
        return neuron, neuron

    def epoch(neuron, _):
        return lax.scan(see, neuron, (x, t))

    start = Neuron(jnp.zeros(x.shape[1]), jnp.zeros(()))
    _, way = lax.scan(epoch, start, length=num_epochs)
    return jax.tree.map(lambda a: a.mean((0, 1)), way)
