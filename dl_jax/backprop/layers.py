"""Dense layers, flattening, dropout and the bag of words."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Integer, Key

from dl_jax import ops


def dense_fwd(
    x: Float[Array, "n i"], w: Float[Array, "i j"], b: Float[Array, " j"]
) -> tuple[Float[Array, "n j"], tuple[Float[Array, "n i"], Float[Array, "i j"]]]:
    """Return `z_j = sum_i x_i w_ij + b_j` of each example, `[n, j]`, and x and w.

    Slide "Feed Forward Network".
    """
    return x @ w + b[None, :], (x, w)


def dense_bwd(
    residuals: tuple[Float[Array, "n i"], Float[Array, "i j"]], d_z: Float[Array, "n j"]
) -> tuple[Float[Array, "n i"], Float[Array, "i j"], Float[Array, " j"]]:
    """Return the gradients by x, w and b.

        dE/dx_i  = sum_j w_ij dE/dz_j      dZ Wᵀ
        dE/dw_ij = sum_n x_i dE/dz_j       Xᵀ dZ
        dE/db_j  = sum_n dE/dz_j

    Slides "Backpropagation": the first is its `dE/dy_i`, the second its `dz_j/dw_ij dE/dz_j` with
    `dz_j/dw_ij = x_i`.
    """
    x, w = residuals
    return d_z @ w.T, x.T @ d_z, d_z.sum(0)


def flatten_fwd(x: Float[Array, "n ..."]) -> tuple[Float[Array, "n size"], Float[Array, "n ..."]]:
    """Return one row an example, `[n, size]`, and x for its shape.

    Slide "Convolutional vs Feed-Forward".
    """
    return x.reshape(x.shape[0], -1), x


def flatten_bwd(
    x: Float[Array, "n ..."], d_y: Float[Array, "n size"]
) -> tuple[Float[Array, "n ..."]]:
    """Return `dE/dx`: each value moves back to where it came from."""
    return (d_y.reshape(x.shape),)


def dropout_fwd(
    x: Float[Array, "..."], key: Key[Array, ""], *, rate: float
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """Return `y = m x`, and the mask m: 0 for a random share `rate`, `1 / (1 - rate)` elsewhere.

    Srivastava et al. 2014, section 10. The rate in force is that of `ops.dropout`.

    Raises:
        ValueError: if the rate is not in `[0, 1)`.
    """
    mask = ops.dropout(jnp.ones_like(x), rate, key)
    return jnp.where(mask > 0, mask * x, 0), mask  # what is dropped may be infinite


def dropout_bwd(
    mask: Float[Array, "..."], d_y: Float[Array, "..."]
) -> tuple[Float[Array, "..."], None]:
    """Return `dE/dx = m dE/dy`, the same mask with the same scale; None for the key."""
    return jnp.where(mask > 0, mask * d_y, 0), None


def bag_of_words_fwd(
    ids: Integer[Array, "n length"], w: Float[Array, "num_words j"]
) -> tuple[Float[Array, "n j"], tuple[Integer[Array, "n length"], Float[Array, "num_words j"]]]:
    """Return `y_j = sum_{v in ids} w_vj` of each text, `[n, j]`, and ids and w.

    The product of the slide's `vectorize_sequences(ids)` with w; 0 is no word.
    """
    return ops.bag_of_words(ids, w), (ids, w)


def bag_of_words_bwd(
    residuals: tuple[Integer[Array, "n length"], Float[Array, "num_words j"]],
    d_y: Float[Array, "n j"],
) -> tuple[None, Float[Array, "num_words j"]]:
    """Return None for the ids, and `dE/dw_vj = sum_n dE/dy_j` over the texts that contain v.

    `Xᵀ dY` of a dense layer whose x is 1 where the word occurs: the rows of dY are added to the
    rows of the words.
    """
    ids, w = residuals
    return None, ops.add_to_words(d_y, ids, len(w))


def batch_update(
    gradients: Float[Array, "k ..."], epsilon: float | jax.Array
) -> Float[Array, "..."]:
    """Return `Δw = -ε sum_{k in dataset} dE^(k)/dw`, from one gradient an example.

    Slide "Backpropagation", last line.
    """
    return -epsilon * gradients.sum(0)


def layer_recursion(
    w: Float[Array, "i j"],
    y_i: Float[Array, "n i"],
    y_j: Float[Array, "n j"],
    d_y_j: Float[Array, "n j"],
) -> tuple[Float[Array, "n i"], Float[Array, "n i j"]]:
    """Take the lecture's backpropagation through one layer of sigmoid neurons.

        dE/dz_j  = y_j (1 - y_j) dE/dy_j
        dE/dy_i  = sum_j w_ij dE/dz_j
        dE/dw_ij = y_i y_j (1 - y_j) dE/dy_j

    Slides "Backpropagation". The weights' gradient is that of each example, for `batch_update`.

    Args:
        w: weights from neuron i to neuron j.
        y_i: outputs of the layer below.
        y_j: outputs of this layer, `sigmoid(sum_i y_i w_ij)`.
        d_y_j: `dE/dy_j`.

    Returns:
        `dE/dy_i`, with which the layer below goes on, and `dE/dw_ij` of each example.
    """
    d_z_j = y_j * (1 - y_j) * d_y_j
    return d_z_j @ w.T, y_i[:, :, None] * d_z_j[:, None, :]
