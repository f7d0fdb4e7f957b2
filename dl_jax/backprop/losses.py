"""The lecture's losses and their derivatives, by themselves and fused with the last activation.

Targets get their derivative too, where they are numbers: in `jax.custom_vjp`'s protocol each
input has one.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy.special import xlog1py, xlogy
from jaxtyping import Array, Float, Int, Num

from dl_jax import losses, ops
from dl_jax.backprop.pair import Pair


def half_squared_error_fwd(
    y: Float[Array, "..."], t: Float[Array, "..."]
) -> tuple[Float[Array, ""], Float[Array, "..."]]:
    """Return `E = 1/2 sum_i (t_i - y_i)^2` over everything, and `t - y`. Slide "Loss function"."""
    return losses.half_squared_error(y, t), t - y


def half_squared_error_bwd(
    error: Float[Array, "..."], d_E: Float[Array, ""]
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """Return `dE/dy_i = -(t_i - y_i)` and `dE/dt_i = t_i - y_i`, times what comes back."""
    d_t = d_E * error
    return -d_t, d_t


def mean_squared_error_fwd(
    y: Float[Array, "... k"], t: Float[Array, "... k"]
) -> tuple[Float[Array, "..."], Float[Array, "... k"]]:
    """Return `E = 1/k sum_j (t_j - y_j)^2` of each example, and `t - y`.

    Slide "Choice of Activation/Loss functions", mse.
    """
    return losses.mean_squared_error(y, t), t - y


def mean_squared_error_bwd(
    error: Float[Array, "... k"], d_E: Float[Array, "..."]
) -> tuple[Float[Array, "... k"], Float[Array, "... k"]]:
    """Return `dE/dy_j = -2/k (t_j - y_j)` and `dE/dt_j`, its negative."""
    d_t = 2 / error.shape[-1] * error * d_E[..., None]
    return -d_t, d_t


def binary_cross_entropy_fwd(
    y: Float[Array, "..."], t: Float[Array, "..."]
) -> tuple[Float[Array, "..."], tuple[Float[Array, "..."], Float[Array, "..."]]]:
    """Return `E = -t log y - (1 - t) log(1 - y)` of each probability, and y and t.

    Slide "Choice of Activation/Loss functions". Infinite where a y is 0 or 1 and wrong: in
    training, the fused `sigmoid_binary_cross_entropy_fwd` takes its place. `0 log 0` is 0.
    """
    return -xlogy(t, y) - xlog1py(1 - t, -y), (y, t)


def binary_cross_entropy_bwd(
    residuals: tuple[Float[Array, "..."], Float[Array, "..."]], d_E: Float[Array, "..."]
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """Return `dE/dy = (1 - t) / (1 - y) - t / y` and `dE/dt = log(1 - y) - log y`.

    Brought to one denominator, `dE/dy = (y - t) / (y (1 - y))`. A term whose numerator is 0 is 0.
    """
    y, t = residuals
    d_y = jnp.where(t == 1, 0, (1 - t) / (1 - y)) - jnp.where(t == 0, 0, t / y)
    return d_y * d_E, (jnp.log1p(-y) - jnp.log(y)) * d_E


def categorical_cross_entropy_fwd(
    y: Float[Array, "... k"], t: Float[Array, "... k"]
) -> tuple[Float[Array, "..."], tuple[Float[Array, "... k"], Float[Array, "... k"]]]:
    """Return `E = -sum_j t_j log y_j` of each example, and y and t; t has one-hot rows.

    Slide "Choice of Activation/Loss functions". Infinite where the right y is 0: in training, the
    fused `softmax_cross_entropy_fwd` takes its place. `0 log 0` is 0.
    """
    return -jnp.sum(xlogy(t, y), axis=-1), (y, t)


def categorical_cross_entropy_bwd(
    residuals: tuple[Float[Array, "... k"], Float[Array, "... k"]], d_E: Float[Array, "..."]
) -> tuple[Float[Array, "... k"], Float[Array, "... k"]]:
    """Return `dE/dy_j = -t_j / y_j`, 0 where t is, and `dE/dt_j = -log y_j`."""
    y, t = residuals
    return jnp.where(t == 0, 0, -t / y) * d_E[..., None], -jnp.log(y) * d_E[..., None]


def sigmoid_binary_cross_entropy_fwd(
    z: Float[Array, "..."], t: Num[Array, "..."]
) -> tuple[Float[Array, "..."], tuple[Float[Array, "..."], Float[Array, "..."], Num[Array, "..."]]]:
    """Return the binary cross-entropy of `y = sigmoid(z)`, and y, z and t; no overflow for any z.

    Slide "Choice of Activation/Loss functions", the rows of binary and multilabel problems.
    """
    return losses.binary_cross_entropy(z, t), (ops.sigmoid(z), z, t)


def sigmoid_binary_cross_entropy_bwd(
    residuals: tuple[Float[Array, "..."], Float[Array, "..."], Num[Array, "..."]],
    d_E: Float[Array, "..."],
) -> tuple[Float[Array, "..."], Float[Array, "..."] | None]:
    """Return `dE/dz = y - t` and `dE/dt = -z`.

    `dE/dy · dy/dz = (y - t) / (y (1 - y)) · y (1 - y)`: the sigmoid's derivative cancels, so
    that a neuron that is sure and wrong still learns. `log(1 - y) - log y = -z`.
    """
    y, z, t = residuals
    return _as(z, (y - t) * d_E), _as(t, -z * d_E)


def softmax_cross_entropy_fwd(
    z: Float[Array, "... k"], t: Float[Array, "... k"] | Int[Array, "..."]
) -> tuple[Float[Array, "..."], tuple[Float[Array, "... k"], Num[Array, "..."]]]:
    """Return the cross-entropy of `y = softmax(z)` for each example, and the residuals.

    Slide "Choice of Activation/Loss functions", the row of multiclass problems.

    Args:
        z: logits.
        t: one-hot rows, or class numbers.
    """
    return losses.categorical_cross_entropy(z, t), (z, t)


def softmax_cross_entropy_bwd(
    residuals: tuple[Float[Array, "... k"], Num[Array, "..."]], d_E: Float[Array, "..."]
) -> tuple[Float[Array, "... k"], Float[Array, "... k"] | None]:
    """Return `dE/dz_j = y_j - t_j` for one-hot rows, and `dE/dt_j = -log y_j`.

    `sum_i dE/dy_i dy_i/dz_j = -sum_i t_i/y_i · y_i (δ_ij - y_j) = y_j sum_i t_i - t_j`; the sum of
    a one-hot row is 1, and stands here for rows that are none. A class number out of range is
    taken for no class.
    """
    z, t = residuals
    d_E = d_E[..., None]
    if t.ndim < z.ndim:
        t = t.astype(jnp.int32)  # a narrow type's numbers come round before they reach a large k
        d_z = (ops.softmax(z) - jax.nn.one_hot(t, z.shape[-1], dtype=z.dtype)) * d_E
        return _as(z, d_z), None
    d_z = (ops.softmax(z) * t.sum(-1, keepdims=True) - t) * d_E
    return _as(z, d_z), _as(t, -jax.nn.log_softmax(z) * d_E)


def _as(x: jax.Array, d_x: jax.Array) -> Any:
    """A gradient has the dtype of its input, and whole numbers have none."""
    return d_x.astype(x.dtype) if jnp.issubdtype(x.dtype, jnp.floating) else None


def _on_one_logit_fwd(z: Float[Array, "n 1"], t: Num[Array, " n"]):
    return sigmoid_binary_cross_entropy_fwd(z[:, 0], t)


def _on_one_logit_bwd(residuals, d_E):
    d_z, d_t = sigmoid_binary_cross_entropy_bwd(residuals, d_E)
    return d_z[:, None], d_t


def _mean_over_labels_fwd(z: Float[Array, "n k"], t: Num[Array, "n k"]):
    E, residuals = sigmoid_binary_cross_entropy_fwd(z, t)
    return E.mean(-1), residuals


def _mean_over_labels_bwd(residuals, d_E):
    k = residuals[0].shape[-1]
    return sigmoid_binary_cross_entropy_bwd(residuals, d_E[:, None] / k)


BINARY = Pair(_on_one_logit_fwd, _on_one_logit_bwd)
"""From one logit an example, `[n, 1]`, as `losses.BINARY` has it."""
MULTILABEL = Pair(_mean_over_labels_fwd, _mean_over_labels_bwd)
"""From k logits an example, as `losses.MULTILABEL` has it."""
MULTICLASS = Pair(softmax_cross_entropy_fwd, softmax_cross_entropy_bwd)
"""From k logits an example, as `losses.MULTICLASS` has it."""
REGRESSION = Pair(mean_squared_error_fwd, mean_squared_error_bwd)
"""From k values an example, as `losses.REGRESSION` has it."""
