"""The bag of words: a dense layer over a multi-hot vector that is never made."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int


def bag_of_words(
    ids: Int[Array, "n length"], kernel: Float[Array, "num_words features"]
) -> Float[Array, "n features"]:
    """Add up the kernel's row of each word that occurs.

        y_j = sum_{w in ids} kernel[w, j]

    This equals `vectorize_sequences(ids) @ kernel` of the slide "We need to vectorize input" to
    rounding, at the cost of the words that occur instead of the whole vocabulary.

    Args:
        ids: the distinct token ids of each sequence, 0 where it has ended (0 is no word); ids
            that are not in the vocabulary add nothing.
        kernel: the weights of a dense layer over the multi-hot vector.
    """
    occurs = (ids > 0) & (ids < kernel.shape[0])
    rows = jnp.take(kernel, ids, axis=0, mode="clip")
    return jnp.sum(jnp.where(occurs[..., None], rows, 0), axis=-2)


def multi_hot(ids: Int[Array, "n length"], num_words: int) -> Float[Array, "n num_words"]:
    """Return the matrix of the slide, `results[i, sequence] = 1`, to compare with."""
    rows = jnp.arange(ids.shape[0])[:, None]
    return jnp.zeros((ids.shape[0], num_words)).at[rows, ids].set(1).at[:, 0].set(0)
