"""Synthetic reviews: words by Zipf's law, as many of them as IMDB's reviews have. NumPy alone."""

import math

import numpy as np

from dl_jax import data

# The lengths are log-normal: relative to the columns, this median, this deviation of the logarithm
# and this most give 129 distinct words on average and 542 at most, where IMDB has 132 and 588.
_MEDIAN_LENGTH, _DEVIATION, _MOST = 160 / 608, 0.65, 1000 / 608


def synthetic_reviews(
    rng: np.random.Generator, size: int, longest: int, num_words: int
) -> np.ndarray:
    """Draw reviews as the data set stores them, uint16 `[size, longest]`.

    Each row has the distinct ids of its words, ascending from 1 and padded with 0 at the end.

    Args:
        rng: of which they are drawn.
        size: how many.
        longest: columns; to which the lengths are relative.
        num_words: ids, of which 0 is the padding.
    """
    median = math.log(_MEDIAN_LENGTH * longest)
    lengths = np.minimum(rng.lognormal(median, _DEVIATION, size), _MOST * longest).astype(int)
    offsets = np.append(0, np.cumsum(lengths + 1))
    zipf = np.cumsum(1 / np.arange(1, num_words))
    ids = 1 + np.searchsorted(zipf, rng.uniform(0, zipf[-1], offsets[-1]))
    tokens = data.Tokens(np.minimum(ids, num_words - 1).astype(np.uint16), offsets)
    distinct = data.distinct(tokens)[:, :longest]
    return np.pad(distinct, ((0, 0), (0, longest - distinct.shape[1])))
