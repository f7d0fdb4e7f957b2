"""Batch normalisation, Ioffe and Szegedy 2015, and its derivative in as few passes as there can be.

With the mean m and the variance v of a channel over N values, i = 1 / sqrt(v + epsilon):

    y = gamma i (x - m) + beta                                                  (algorithm 1)

A change of x, gamma and beta changes m by d_m = mean(dx) and y by

    d_y = gamma i dx + (x - m) a + d_beta - gamma i d_m,
    a = i d_gamma - gamma i^3 c,   c = mean((x - m) dx) = mean(x dx) - m d_m

Of all this only `gamma i dx + x a`, mean(dx) and mean(x dx) go over the images, and so does the
transpose, the gradient: sums of d_y and of x d_y, and one expression of both images. What automatic
differentiation makes of the formula above goes over them twice as often, and keeps x - m beside x.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float


@partial(jax.custom_jvp, nondiff_argnums=(3,))
def batch_norm(
    x: Float[Array, "... c"],
    scale: Float[Array, " c"],
    bias: Float[Array, " c"],
    epsilon: float = 1e-5,
) -> tuple[Float[Array, "... c"], Float[Array, " c"], Float[Array, " c"]]:
    """Return the normalised values of each channel, and its mean and variance over all others.

    Args:
        x: activations, floating-point numbers, channels last.
        scale: gamma.
        bias: beta.
        epsilon: what is added to the variance.

    Returns:
        y, in the dtype that x, scale and bias make together; mean and variance, the second by the
        mean of the squares, in float32 at least.
    """
    mean, var = _statistics(x)
    return normalized(x, mean, var, scale, bias, epsilon), mean, var


def normalized(
    x: Float[Array, "... c"],
    mean: Float[Array, " c"],
    var: Float[Array, " c"],
    scale: Float[Array, " c"],
    bias: Float[Array, " c"],
    epsilon: float = 1e-5,
) -> Float[Array, "... c"]:
    """Return `scale (x - mean) / sqrt(var + epsilon) + bias`, as algorithm 2 has it for inference.

    Args:
        x: activations, channels last.
        mean: of each channel.
        var: of each channel.
        scale: gamma.
        bias: beta.
        epsilon: what is added to the variance.

    Returns:
        y, of the shape of x and the dtype that x, scale and bias make together.
    """
    factor = scale * lax.rsqrt(var + epsilon)
    y = (x - _over(x, mean)) * _over(x, factor) + _over(x, bias)
    return y.astype(jnp.result_type(x, scale, bias))


def _over(x: jax.Array, each: jax.Array) -> jax.Array:
    """What each channel has, to be combined with all its values."""
    return jnp.expand_dims(each, range(x.ndim - 1))


def _statistics(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    mean, squares = _mean(x), _mean(x, x)
    return mean, jnp.maximum(squares - mean * mean, 0)  # rounding may leave less than nothing


def _mean(x: jax.Array, *factors: jax.Array) -> jax.Array:
    """The mean of each channel, or of its product with other factors; float32 at least."""
    x = _widened(x)
    for factor in factors:
        x = x * factor
    return jnp.mean(x, tuple(range(x.ndim - 1)))


def _widened(x: jax.Array) -> jax.Array:
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


@batch_norm.defjvp
def _batch_norm_jvp(epsilon, primals, tangents):
    (x, scale, bias), (dx, d_scale, d_bias) = primals, tangents
    dx = _widened(dx)  # once, so that the transpose adds up what cancels before it rounds
    y, mean, var = batch_norm(x, scale, bias, epsilon)
    d_mean = _mean(dx)
    c = _mean(x, dx) - mean * d_mean
    inverse = lax.rsqrt(var + epsilon)
    factor = scale * inverse
    a = inverse * d_scale - factor * inverse * inverse * c
    rest = d_bias - factor * d_mean - mean * a
    d_y = _over(x, factor) * dx + x * _over(x, a) + _over(x, rest)
    return (y, mean, var), (d_y.astype(y.dtype), d_mean, 2 * c)
