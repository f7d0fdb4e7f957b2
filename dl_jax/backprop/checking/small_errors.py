"""What a small error of a gradient may come from, in words."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from dl_jax.backprop.checking.inputs import is_float64
from dl_jax.backprop.checking.tries import Try

REPRODUCED = 1e-12
"""Relative difference of gradients that are the same, but for the rounding of float64."""


def small_error_text(error: float, k: int, tries: Sequence[Try]) -> str:
    """Return what a gradient is that is right to some digits.

    Args:
        error: how far it is from the right one.
        k: which input.
        tries: where it is so.
    """
    text = f"right to {int(-np.log10(error))} digits: "
    if all(_is_rounded(k, t) for t in tries):
        return f"{text}something on the way is rounded to float32"
    return f"{text}a small error: an epsilon, a shortened constant, or float32 on the way"


def _is_rounded(k: int, t: Try) -> bool:
    """Whether rounding something to float32 reproduces the gradient, which it isn't without.

    An exact backward changes with each of its arguments; one that rounds an argument itself does
    not change where the argument is rounded before. Residuals may have no effect at all, so that a
    larger change is made, too.
    """
    hand = t.hand[k]
    residuals, d_outputs = t.point.residuals, t.d_outputs
    coarse = [_rounded(r) for r in residuals]
    if any(map(_changed, residuals, coarse)):
        far = [_rounded(r, jnp.bfloat16) for r in residuals]
        moves = not _same(t.by_hand(far, d_outputs)[k], hand)
        if moves and _same(t.by_hand(coarse, d_outputs)[k], hand):
            return True
    coarse_d = [_rounded(d) for d in d_outputs]
    if _same(t.by_hand(residuals, coarse_d)[k], hand):
        return True
    # A local derivative in float32, times numbers without digits of their own.
    rng = np.random.default_rng(0)
    powers = [np.exp2(rng.integers(-3, 4, d.shape)) for d in d_outputs]
    given, right = t.by_hand(residuals, powers)[k], t.point.pull(powers)[k]
    return np.array_equal(given, _rounded(given)) and not np.array_equal(right, _rounded(right))


def _rounded(value: Any, dtype: Any = np.float32) -> Any:
    """A value with the digits of another type, and all else as it is."""
    if not is_float64(value):
        return value
    return jnp.asarray(np.asarray(value).astype(dtype).astype(np.float64))


def _changed(one: Any, two: Any) -> bool:
    return is_float64(one) and not np.array_equal(one, two)


def _same(one: np.ndarray, two: np.ndarray) -> bool:
    return bool(np.abs(one - two).max() <= REPRODUCED * np.abs(two).max())
