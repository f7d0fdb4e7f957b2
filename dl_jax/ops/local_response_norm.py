"""Normalisation across channels."""

import functools

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float


def local_response_norm(
    inputs: Float[Array, "... c"],
    size: int = 5,
    alpha: float = 1e-4,
    beta: float = 0.75,
    k: float = 2.0,
) -> Float[Array, "... c"]:
    """Return `b_i = a_i / (k + alpha sum_j a_j^2)^beta`, j the `size` channels around i.

    Krizhevsky, Sutskever and Hinton 2012, section 3.3, whose values are the defaults. PyTorch's
    layer of the same name takes the mean of the squares: its alpha is `size` times this one.

    Args:
        inputs: activations, channels last.
        size: how many neighbouring channels count, the value's own in the middle; odd.
        alpha: weight of their squares.
        beta: exponent.
        k: what is added to them.

    Raises:
        ValueError: if the size is not odd and positive.
    """
    if size < 1 or size % 2 == 0:
        raise ValueError(f"local_response_norm: expected an odd size of at least 1, got {size}")
    channels, side = inputs.shape[-1], size // 2
    around = [(0, 0, 0)] * (inputs.ndim - 1) + [(side, side, 0)]
    squares = lax.pad(inputs * inputs, jnp.zeros((), inputs.dtype), around)
    shifts = (lax.slice_in_dim(squares, i, i + channels, axis=-1) for i in range(size))
    base = k + alpha * functools.reduce(jnp.add, shifts)
    if beta == 0.75:  # two roots cost less than a power
        root = lax.rsqrt(base)
        return inputs * root * jnp.sqrt(root)
    return inputs * base**-beta
