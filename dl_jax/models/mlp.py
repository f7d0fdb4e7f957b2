"""The multilayer perceptron."""

from collections.abc import Callable

import jax
from flax import linen as nn
from jaxtyping import Array, Float

from dl_jax import ops
from dl_jax.models.inputs import check_features
from dl_jax.models.layers import Dense, Flatten


class MLP(nn.Module):
    """Dense layers with an activation between them. Slide "Feed Forward Network".

    Attributes:
        features: outputs of each layer; the last are the logits.
        activation: applied after each layer but the last.
    """

    features: tuple[int, ...]
    activation: Callable[[jax.Array], jax.Array] = ops.relu

    @nn.compact
    def __call__(
        self, inputs: Float[Array, "n ..."], *, train: bool = False
    ) -> Float[Array, "n k"]:
        """Return the logits of each example; whatever its shape, it is flattened first."""
        del train
        check_features("MLP", self.features)
        x = Flatten()(inputs)
        for features in self.features[:-1]:
            x = self.activation(Dense(features)(x))
        return Dense(self.features[-1])(x)
