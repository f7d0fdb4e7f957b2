"""How kernels begin; large ones block by block, so that nothing as large lies beside them."""

import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax
from jax.typing import DTypeLike

Initializer = Callable[..., jax.Array]
_BLOCK = 2**18  # numbers


def _in_blocks(initializer: Initializer, mode: str) -> Initializer:
    """Return the initializer for kernels of any size.

    A block is drawn as a kernel of its own and scaled as the whole kernel's fans ask for: each
    number has the distribution that it would have, from other random bits.
    """

    def draw(key: jax.Array, shape: Sequence[int], dtype: DTypeLike = jnp.float32) -> jax.Array:
        size = math.prod(shape)
        if size <= _BLOCK:
            return initializer(key, shape, dtype)
        number = next(n for n in range(-(-size // _BLOCK), size + 1) if size % n == 0)
        block = (1, size // number)
        scale = math.sqrt(_fan(block, mode) / _fan(shape, mode))

        def one(key: jax.Array) -> jax.Array:
            return scale * initializer(key, block, dtype)

        return lax.map(one, jax.random.split(key, number)).reshape(shape)

    return draw


def _fan(shape: Sequence[int], mode: str) -> float:
    """What the variance is inversely proportional to."""
    places = math.prod(shape[:-2])
    return places * shape[-2] if mode == "fan_in" else places * (shape[-2] + shape[-1])


glorot_init = _in_blocks(nn.initializers.glorot_uniform(), "fan_avg")
"""Keras' default, `U(-l, l)` with `l = sqrt(6 / (fan_in + fan_out))` (Glorot and Bengio 2010)."""

he_init = _in_blocks(nn.initializers.he_normal(), "fan_in")
"""`N(0, 2 / fan_in)`, cut off at two standard deviations, for layers in front of a ReLU (He, Zhang,
Ren and Sun 2015)."""
