"""The lecture's activation functions."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def sigmoid(z: Float[Array, "..."]) -> Float[Array, "..."]:
    """Return `f(z) = 1 / (1 + e^{-z})`, without overflow for any z. Slide "Sigmoid Function".

    >>> float(sigmoid(jnp.array(0.0)))
    0.5
    """
    return jax.nn.sigmoid(z)


def tanh(z: Float[Array, "..."]) -> Float[Array, "..."]:
    """Return `f(z) = (e^z - e^{-z}) / (e^z + e^{-z}) = 2 sigmoid(2 z) - 1`. Slide "Tanh"."""
    return jnp.tanh(z)


def relu(z: Float[Array, "..."]) -> Float[Array, "..."]:
    """Return `f(z) = max(0, z)`; its derivative at 0 is 0. Slide "Restricted linear unit"."""
    return jax.nn.relu(z)


def softmax(z: Float[Array, "... k"]) -> Float[Array, "... k"]:
    """Return `y_i = e^{z_i} / sum_j e^{z_j}`, without overflow for any z. Slide "Softmax".

    >>> softmax(jnp.zeros(4)).tolist()
    [0.25, 0.25, 0.25, 0.25]
    """
    return jax.nn.softmax(z)
