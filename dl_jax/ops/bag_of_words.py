"""The bag of words: a dense layer over a multi-hot vector that is never made."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Integer

from dl_jax.ops.bilinear import Products, bilinear
from dl_jax.ops.sharding import by_device, is_left_to_lax, varying_alike

_LENGTH = 32  # ids a row: a text fills a few rows, and half of its last one stays empty
_ROWS = 512  # rows at a time


def bag_of_words(
    ids: Integer[Array, "n length"], kernel: Float[Array, "num_words features"]
) -> Float[Array, "n features"]:
    """Add up the kernel's row of each word that occurs.

        y_j = sum_{w in ids} kernel[w, j]

    This equals `vectorize_sequences(ids) @ kernel` of the slide "We need to vectorize input" to
    rounding, at the cost of the words that occur instead of the whole vocabulary. On a CPU the
    padding costs next to nothing either: what is left of the texts when they are cut into rows of
    32 ids, and empty rows left out, is what is computed.

    Args:
        ids: the distinct token ids of each sequence, 0 where it has ended (0 is no word); ids
            that are not in the vocabulary add nothing.
        kernel: the weights of a dense layer over the multi-hot vector.
    """
    if is_left_to_lax(ids, kernel) or not ids.size:
        return _forward(kernel, ids, kernel.shape[0])
    return by_device(lambda ids, kernel: _bags.forward(kernel, ids, len(kernel)), ids, kernel)


def add_to_words(
    rows: Float[Array, "n features"], ids: Integer[Array, "n length"], num_words: int
) -> Float[Array, "num_words features"]:
    """Return the transpose of `bag_of_words`: each text's row, added up for each of its words.

        d_kernel[w, j] = sum_{n: w in ids_n} rows[n, j]

    Args:
        rows: one for each text.
        ids: as in `bag_of_words`.
        num_words: rows of the result.
    """
    if is_left_to_lax(ids, rows) or not ids.size:
        return _by_kernel(rows, ids, num_words)
    return _bags.by_x(rows, ids, num_words)


def multi_hot(ids: Integer[Array, "n length"], num_words: int) -> Float[Array, "n num_words"]:
    """Return the matrix of the slide, `results[i, sequence] = 1`, to compare with."""
    rows = jnp.arange(ids.shape[0])[:, None]
    return jnp.zeros((ids.shape[0], num_words)).at[rows, ids].set(1).at[:, 0].set(0)


def _forward(kernel: jax.Array, ids: jax.Array, num_words: int) -> jax.Array:
    found = jnp.take(kernel, ids, axis=0, mode="clip")
    return jnp.sum(jnp.where(_occurs(ids, num_words)[..., None], found, 0), axis=-2)


def _by_kernel(y: jax.Array, ids: jax.Array, num_words: int) -> jax.Array:
    """The rows of y are added to the rows of the words."""
    wide = jnp.promote_types(y.dtype, jnp.float32)  # a frequent word has thousands of rows
    rows = jnp.where(_occurs(ids, num_words), ids.astype(jnp.int32), num_words)
    updates = jnp.broadcast_to(y[:, None], (*ids.shape, y.shape[1])).astype(wide)
    return (
        jnp.zeros((num_words, y.shape[1]), wide).at[rows].add(updates, mode="drop").astype(y.dtype)
    )


def _forward_by_rows(kernel: jax.Array, ids: jax.Array, num_words: int) -> jax.Array:
    wide = jnp.promote_types(kernel.dtype, jnp.float32)
    padded = jnp.pad(kernel, ((0, 1), (0, 0)))  # what is no word finds zeros behind the last one

    def add(y: jax.Array, texts: jax.Array, words: jax.Array) -> jax.Array:
        # Word by word, so that a compiler adds whole rows of the kernel and not single numbers.
        found = (padded.at[words[:, j]].get(mode="promise_in_bounds") for j in range(_LENGTH))
        return y.at[texts].add(sum(row.astype(wide) for row in found), mode="drop")

    y = _over_rows(ids, num_words, add, jnp.zeros((len(ids), kernel.shape[1]), wide))
    return y.astype(kernel.dtype)


def _by_kernel_by_rows(y: jax.Array, ids: jax.Array, num_words: int) -> jax.Array:
    wide = jnp.promote_types(y.dtype, jnp.float32)

    def add(d_kernel: jax.Array, texts: jax.Array, words: jax.Array) -> jax.Array:
        rows, words = y.at[texts].get(mode="clip").astype(wide), words.T

        def one_word_a_text(j: jax.Array, d_kernel: jax.Array) -> jax.Array:
            return d_kernel.at[words[j]].add(rows, mode="promise_in_bounds")

        return lax.fori_loop(0, _LENGTH, one_word_a_text, d_kernel, unroll=8)

    d_kernel = _over_rows(ids, num_words, add, jnp.zeros((num_words + 1, y.shape[1]), wide))
    return d_kernel[:num_words].astype(y.dtype)


def _over_rows(
    ids: jax.Array,
    num_words: int,
    add: Callable[[jax.Array, jax.Array, jax.Array], jax.Array],
    total: jax.Array,
) -> jax.Array:
    """Call `add(total, texts, words)` for some hundred rows at a time, of those that hold ids.

    `texts` says which text a row is of; what is no word is `num_words` in `words`.
    """
    a_text = -(-ids.shape[1] // _LENGTH)
    rows = jnp.pad(ids, ((0, 0), (0, a_text * _LENGTH - ids.shape[1]))).reshape(-1, _LENGTH)
    holds = (rows > 0).any(axis=1)
    places = jnp.nonzero(holds, size=-(-len(rows) // _ROWS) * _ROWS, fill_value=len(rows))[0]

    def some(i: jax.Array, total: jax.Array) -> jax.Array:
        chosen = lax.dynamic_slice(places, (i * _ROWS,), (_ROWS,))
        words = rows.at[chosen].get(mode="fill", fill_value=0).astype(jnp.int32)
        words = jnp.where(_occurs(words, num_words), words, num_words)
        return add(total, chosen // a_text, words)

    total, *_ = varying_alike(total, ids)
    return lax.fori_loop(0, -(-holds.sum() // _ROWS), some, total)


def _occurs(ids: jax.Array, num_words: int) -> jax.Array:
    return (ids > 0) & (ids.astype(jnp.int32) < num_words)  # which a narrow integer may not hold


def _no_gradient(*_: jax.Array) -> jax.Array:
    raise TypeError("bag_of_words: ids are integers and have no gradient")


_bags = bilinear(
    "bag_of_words",
    default=Products(_forward, _by_kernel, _no_gradient),
    cpu=Products(_forward_by_rows, _by_kernel_by_rows, _no_gradient),
    example_axis=None,
)
