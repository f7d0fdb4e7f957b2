"""How far two gradients are apart: one scale for whatever a gradient is compared with."""

import numpy as np

from dl_jax.backprop.checking.inputs import Arrays
from dl_jax.backprop.checking.tries import Try

AUTODIFF_ROUNDING = 1e-15
"""Of the largest dE/d(output): what may be left where the terms of a gradient cancel.

So of the softmax of one class, whose gradient is zero.
"""


def autodiff_error(t: Try, k: int) -> float:
    """Return how far the gradient by an input is from automatic differentiation."""
    hand, right = t.hand[k], t.right[k]
    apart = np.abs(hand - right).max(initial=0)
    return float(relative(apart, largest([hand, right]), largest(t.d_outputs), AUTODIFF_ROUNDING))


def relative(apart: np.ndarray, size: float, terms: float, rounding: float) -> np.ndarray:
    """Return what two gradients differ by, relative to the larger one.

    A scale that is never smaller than something would make a wrong sign of a small gradient look
    like a small error. So only what rounding explains is relative to another scale.

    Args:
        apart: absolute differences.
        size: the largest entry of both gradients.
        terms: how large the terms may have been that cancel in a gradient.
        rounding: a difference up to this part of `terms` is relative to `terms`.
    """
    scale = np.where(apart <= rounding * terms, max(size, terms), size)
    return apart / np.maximum(scale, 1e-300)


def largest(arrays: Arrays) -> float:
    """Return the largest absolute value of all, zero for none; NaN and infinity don't count."""
    sizes = [np.abs(a[np.isfinite(a)]).max(initial=0) for a in arrays]
    return float(max(sizes, default=0.0))
