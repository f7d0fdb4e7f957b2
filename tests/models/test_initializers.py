"""Kernels begin as their paper says, and large ones without a second array of their size."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dl_jax.models import create
from dl_jax.models.initializers import glorot_init, he_init

SMALL, LARGE = (3, 3, 16, 32), (3, 3, 256, 512)  # the latter in five blocks
CUT = 0.87962566  # standard deviation of a normal number that is drawn anew beyond 2


@pytest.mark.parametrize("shape", [SMALL, LARGE])
def test_he_is_a_normal_distribution_cut_off_at_two(shape, key):
    kernel = np.asarray(he_init(key, shape)) / math.sqrt(2 / math.prod(shape[:3]))
    sampling = 4 / math.sqrt(2 * kernel.size)  # four standard errors of a standard deviation
    assert kernel.std() == pytest.approx(1, abs=sampling)
    assert kernel.mean() == pytest.approx(0, abs=4 / math.sqrt(kernel.size))
    assert abs(kernel).max() <= 2 / CUT + 1e-6


@pytest.mark.parametrize("shape", [SMALL, LARGE])
def test_glorot_is_uniform_up_to_its_limit(shape, key):
    limit = math.sqrt(6 / (9 * (shape[2] + shape[3])))
    kernel = np.asarray(glorot_init(key, shape)) / limit
    assert kernel.std() == pytest.approx(1 / math.sqrt(3), abs=4 / math.sqrt(5 * kernel.size))
    assert 0.99 < abs(kernel).max() <= 1 + 1e-6


def test_blocks_differ(key):
    first, second = np.asarray(he_init(key, (2, 2**18))).ravel().reshape(2, -1)
    assert abs(np.corrcoef(first, second)[0, 1]) < 4 / math.sqrt(2**18)


def test_a_network_begins_in_less_than_twice_its_parameters():
    model, image = create("alexnet"), jnp.zeros((1, 227, 227, 3))
    compiled = jax.jit(model.init).lower(jax.random.key(0), image).compile()
    memory = compiled.memory_analysis()
    assert memory is not None
    assert memory.output_size_in_bytes >= 4 * 60_965_224
    assert memory.temp_size_in_bytes < 4 * 60_965_224
