"""How far two gradients are apart: one scale for whatever a gradient is compared with."""

import numpy as np

from dl_jax.backprop.checking.inputs import Arrays

AUTODIFF_ROUNDING = 1e-13
"""Of the largest dE/d(output): what may be left where the terms of a gradient cancel.

So of the softmax of one class, and of a normalisation of two examples, which is always +-1: their
gradients are zero. Terms are divided by a deviation, say, so that it is more than 1e-16.
"""
EXACT = 1e-9
"""Relative difference up to which two sides of an explanation are equal."""


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
