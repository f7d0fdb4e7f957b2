"""The exam of the lecture's first example: its results are generated."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from dl_jax.train import Examples

POINTS_AN_HOUR = np.array([4.0, 6.0])  # of sleep, of study
LUCK = 4.0  # standard deviation of the points that no hours explain


def exam(key: Key[Array, ""], num_students: int) -> tuple[Examples, float]:
    """Return who did better than average, and how often the best possible rule is right.

    Args:
        key: from which hours and luck are drawn.
        num_students: n.

    Returns:
        Hours of sleep (4 to 10) and of study (0 to 8) as inputs `[n, 2]`, with target 1 for
        a result above average; and the share of these students whom the rule without luck places
        rightly.
    """
    hours_key, luck_key = jax.random.split(key)
    low, high = jnp.array([4.0, 0.0]), jnp.array([10.0, 8.0])
    hours = jax.random.uniform(hours_key, (num_students, 2), minval=low, maxval=high)
    points = np.asarray(hours) @ POINTS_AN_HOUR
    results = points + LUCK * np.asarray(jax.random.normal(luck_key, (num_students,)))
    average = np.dot(POINTS_AN_HOUR, (low + high) / 2)
    above = (results > average).astype(np.int32)
    best = np.mean((points > average) == above)
    return Examples(hours, jnp.asarray(above)), float(best)
