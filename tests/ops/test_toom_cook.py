"""As many products as there are pixels are the outputs under them."""

import jax.numpy as jnp
import numpy as np
import pytest

from dl_jax.ops.toom_cook import combined, matrices
from dl_jax.ops.winograd import POINTS


@pytest.mark.parametrize("points", [(0.0, 1.0, -1.0), (0.0, 1.0, -1.0, 2.0, -0.5), POINTS])
@pytest.mark.parametrize("taps", range(2, 4))
def test_the_products_are_the_outputs(points, taps):
    outputs, kernel, pixels = matrices(points, taps)
    size = len(points) + 1
    d, g = np.random.default_rng(0).random(size), np.random.default_rng(1).random(taps)
    got = outputs @ ((kernel @ g) * (pixels @ d))
    assert outputs.shape == (size + 1 - taps, size)
    np.testing.assert_allclose(got, np.correlate(d, g), rtol=0, atol=100 * 2**-52)


def test_what_has_no_part_in_a_sum_is_not_read():
    one = jnp.ones(3)
    got = combined([0.0, 2.0, -1.0], [jnp.inf * one, one, 3 * one])
    np.testing.assert_array_equal(got, -one)
