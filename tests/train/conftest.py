"""What several tests of training learn from."""

import jax.numpy as jnp
import numpy as np
import pytest

from dl_jax.train import Examples


@pytest.fixture
def examples():
    """Three well separated classes, 50 examples: batches of 16 leave a short one of 2."""
    rng = np.random.default_rng(0)
    labels = np.arange(50, dtype=np.int32) % 3
    inputs = np.eye(3)[labels] * 3 + rng.standard_normal((50, 3))
    return Examples(jnp.asarray(inputs, jnp.float32), jnp.asarray(labels))
