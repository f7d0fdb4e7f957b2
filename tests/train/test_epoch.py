"""The order of an epoch is a permutation, and any of them is as likely as another."""

from collections import Counter

import jax
import numpy as np
import pytest

from dl_jax.train import epoch_order


@pytest.mark.parametrize("size", [1, 2, 1000, 2**16, 2**16 + 1])
def test_every_example_once_in_another_order_each_epoch(size, key):
    first, second = (np.asarray(epoch_order(key, epoch, size)) for epoch in (0, 1))
    np.testing.assert_array_equal(np.sort(first), np.arange(size))
    np.testing.assert_array_equal(np.sort(second), np.arange(size))
    assert first.dtype == np.int32
    assert size < 3 or (first != second).any()


def test_all_orders_are_equally_likely(key):
    draws = 24 * 500
    orders = jax.vmap(lambda epoch: epoch_order(key, epoch, 4))(np.arange(draws))
    counts = Counter(map(tuple, np.asarray(orders).tolist()))
    assert len(counts) == 24
    # Chi squared with 23 degrees of freedom is above 58 once in ten thousand keys.
    assert sum((n - 500) ** 2 / 500 for n in counts.values()) < 58


def test_the_places_of_neighbours_are_unrelated(key):
    """As a sort by too few random bits would leave them: equal bits keep the examples' order."""
    order = np.asarray(epoch_order(key, 0, 60_000)).astype(float)
    place = np.argsort(order)
    # Both correlations have a standard deviation of 1/sqrt(60,000) = 0.004.
    assert abs(np.corrcoef(place[:-1], place[1:])[0, 1]) < 0.02
    assert abs(np.corrcoef(place, np.arange(60_000))[0, 1]) < 0.02
    # Neighbours that stay neighbours in their order: one pair on average, as of any two examples.
    assert ((place[1:] - place[:-1]) == 1).sum() < 10
