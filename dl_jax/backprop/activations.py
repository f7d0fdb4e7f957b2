"""The lecture's activation functions and their derivatives."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from dl_jax import ops
from dl_jax.backprop.pair import Pair


def sigmoid_fwd(z: Float[Array, "..."]) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """Return `y = 1 / (1 + e^{-z})` twice, as output and residual. Slide "Sigmoid Function"."""
    y = ops.sigmoid(z)
    return y, y


def sigmoid_bwd(y: Float[Array, "..."], d_y: Float[Array, "..."]) -> tuple[Float[Array, "..."]]:
    """Return `dE/dz = y (1 - y) dE/dy`. Slide "First, the derivative of y with respect to z".

    With `u = 1 + e^{-z}`, `y = 1/u` and `dy/dz = e^{-z} / u^2 = 1/u · (u - 1)/u = y (1 - y)`.
    """
    return (y * (1 - y) * d_y,)


def tanh_fwd(z: Float[Array, "..."]) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """Return `y = (e^z - e^{-z}) / (e^z + e^{-z})` twice, as output and residual. Slide "Tanh"."""
    y = ops.tanh(z)
    return y, y


def tanh_bwd(y: Float[Array, "..."], d_y: Float[Array, "..."]) -> tuple[Float[Array, "..."]]:
    """Return `dE/dz = (1 - y^2) dE/dy`. Slide "Tanh".

    With `s = e^z - e^{-z}` and `c = e^z + e^{-z}`: `s' = c`, `c' = s`, and so
    `(s/c)' = (c c - s s) / c^2 = 1 - y^2`.
    """
    return ((1 - y**2) * d_y,)


def tanh_from_sigmoid(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """Return `tanh(x) = 2 sigmoid(2x) - 1`. Slide "Tanh".

    `2 / (1 + e^{-2x}) - 1 = (1 - e^{-2x}) / (1 + e^{-2x})`; times `e^x / e^x` it is tanh.
    """
    return 2 * ops.sigmoid(2 * x) - 1


def relu_fwd(z: Float[Array, "..."]) -> tuple[Float[Array, "..."], Bool[Array, "..."]]:
    """Return `y = max(0, z)` and where z is positive. Slide "Restricted linear unit (ReLU)"."""
    return ops.relu(z), z > 0


def relu_bwd(positive: Bool[Array, "..."], d_y: Float[Array, "..."]) -> tuple[Float[Array, "..."]]:
    """Return `dE/dz = dE/dy` where `z > 0`, and 0 elsewhere; at 0, where there is none, 0."""
    return (jnp.where(positive, d_y, 0),)


def softmax_fwd(z: Float[Array, "... k"]) -> tuple[Float[Array, "... k"], Float[Array, "... k"]]:
    """Return `y_i = e^{z_i} / sum_j e^{z_j}` twice, as output and residual. Slide "Softmax"."""
    y = ops.softmax(z)
    return y, y


def softmax_bwd(
    y: Float[Array, "... k"], d_y: Float[Array, "... k"]
) -> tuple[Float[Array, "... k"]]:
    """Return `dE/dz_j = y_j (dE/dy_j - sum_i y_i dE/dy_i)`. Slide "Softmax".

    Each output depends on each input, `dy_i/dz_j = y_i (δ_ij - y_j)` (`softmax_jacobian`);
    summed over i with `dE/dy_i`, the full matrix is never made.
    """
    return (y * (d_y - jnp.sum(y * d_y, axis=-1, keepdims=True)),)


def softmax_jacobian(y: Float[Array, "... k"]) -> Float[Array, "... k k"]:
    """Return `dy_i/dz_j = y_i (δ_ij - y_j)`, from the softmax's output. Slide "Softmax".

    With `s = sum_j e^{z_j}`: `d(e^{z_i}/s)/dz_j = δ_ij e^{z_i}/s - e^{z_i} e^{z_j}/s^2`.
    """
    k = y.shape[-1]
    delta = jnp.eye(k, dtype=y.dtype).reshape((1,) * (y.ndim - 1) + (k, k))
    return y[..., :, None] * (delta - y[..., None, :])


def identity_fwd(z: Float[Array, "..."]) -> tuple[Float[Array, "..."], tuple[()]]:
    """Return z. Slide "Choice of Activation/Loss functions", last-layer activation None."""
    return z, ()


def identity_bwd(_: tuple[()], d_y: Float[Array, "..."]) -> tuple[jax.Array]:
    """Return `dE/dz = dE/dy`."""
    return (d_y,)


SIGMOID = Pair(sigmoid_fwd, sigmoid_bwd)
TANH = Pair(tanh_fwd, tanh_bwd)
RELU = Pair(relu_fwd, relu_bwd)
SOFTMAX = Pair(softmax_fwd, softmax_bwd)
IDENTITY = Pair(identity_fwd, identity_bwd)
