"""Dropout."""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Key

_LEVELS = 256  # a random byte decides each value: four times cheaper than a random word


def dropout(
    x: Float[Array, "..."], rate: float | Float[Array, ""], key: Key[Array, ""]
) -> Float[Array, "..."]:
    """Set a random share `rate` of x to zero and scale the rest by `1 / (1 - rate)`.

    The expectation of each value is unchanged, so nothing needs scaling at test time
    (Srivastava et al. 2014, section 10, "inverted" as Keras and Flax have it).

    Args:
        x: activations.
        rate: between 0 and 1; the rate in force is the nearest multiple of 1/256,
            and for a rate above 0 at least that. An array may be one that is known only when the
            program runs; then nothing is checked.
        key: a random key; the same key drops the same values.

    Raises:
        ValueError: if the rate is not in `[0, 1)`.
    """
    if isinstance(rate, jax.Array):
        levels = jnp.clip(jnp.round(rate * _LEVELS), 1, _LEVELS - 1)
        dropped = jnp.where(rate > 0, levels, 0).astype(jnp.int32)
    elif not 0 <= rate < 1:
        raise ValueError(f"dropout: expected a rate in [0, 1), got {rate}")
    elif rate == 0:
        return x
    else:
        dropped = min(max(round(rate * _LEVELS), 1), _LEVELS - 1)
    words = jax.random.bits(key, (-(-x.size // 4),), jnp.uint32)
    random_bytes = lax.bitcast_convert_type(words, jnp.uint8).reshape(-1)[: x.size]
    keep = random_bytes.reshape(x.shape) >= dropped
    scale = _LEVELS / (_LEVELS - dropped)
    scale = scale.astype(x.dtype) if isinstance(scale, jax.Array) else scale
    return jnp.where(keep, x * scale, 0)
