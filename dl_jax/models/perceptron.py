"""The lecture's first network: one neuron."""

from flax import linen as nn
from jaxtyping import Array, Float

from dl_jax.models.inputs import expect
from dl_jax.models.layers import Dense


class Perceptron(nn.Module):
    """One neuron, `z = w_1 x_1 + ... + w_k x_k + b`. Slide "Perceptron".

    The slide's decision is +1 where `z >= 0` and -1 elsewhere; with a sigmoid after it, the same
    neuron gives a probability (`losses.BINARY`).
    """

    @nn.compact
    def __call__(self, inputs: Float[Array, "n k"], *, train: bool = False) -> Float[Array, "n 1"]:
        """Return the logit z of each example."""
        del train
        expect("Perceptron", inputs, "[n, features]", 2)
        return Dense(1)(inputs)
