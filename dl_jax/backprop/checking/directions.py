"""Directions into which an input steps: single entries, or groups of them."""

import numpy as np

DIRECTIONS = 32
"""Steps into at most so many directions: of single entries, or of groups of them."""


def in_groups(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return steps of entries, or of groups of them, and the largest step in each."""
    count = min(x.size, DIRECTIONS)
    rng = np.random.default_rng(0)
    group = rng.permutation(x.size) % count
    sizes = np.maximum(1, np.abs(x.reshape(-1)))
    signed = rng.choice([-1, 1], x.size) * sizes
    directions = np.where(group == np.arange(count)[:, None], signed, 0)
    directions = directions / np.sqrt(np.bincount(group))[:, None]
    lengths = np.array([sizes[group == g].max() for g in range(count)])
    return directions.reshape(count, *x.shape), lengths


def one_by_one(x: np.ndarray, only: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return steps of some entries, each by itself, and their lengths."""
    indices = np.flatnonzero(only)
    lengths = np.maximum(1, np.abs(x.reshape(-1)[indices]))
    directions = np.zeros((len(indices), x.size))
    directions[np.arange(len(indices)), indices] = lengths
    return directions.reshape(-1, *x.shape), lengths
