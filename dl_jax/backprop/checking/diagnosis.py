"""The search for what is wrong with a gradient."""

from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np

from dl_jax.backprop.checking.constants import LARGEST_WHOLE, constant_text, fraction_text
from dl_jax.backprop.checking.errors import AUTODIFF_ROUNDING, EXACT, largest
from dl_jax.backprop.checking.explain_entries import moved_entries, other_leaves, wrong_residuals
from dl_jax.backprop.checking.explain_factors import (
    exchanged_factor,
    local_derivative,
    local_derivative_before,
)
from dl_jax.backprop.checking.explain_sums import sums
from dl_jax.backprop.checking.explanation import Explanation
from dl_jax.backprop.checking.masks import is_mask, many_of_each, mask_text
from dl_jax.backprop.checking.small_errors import small_error_text
from dl_jax.backprop.checking.tries import Try

NONE = "no simple explanation"
SMALL = 1e-4
"""Relative error of a gradient where something was rounded, shortened or an epsilon forgotten."""
MOST_VALUES = 1000
"""Different values are counted among so many of an array; three are enough."""
FAMILIES = (
    other_leaves,
    moved_entries,
    local_derivative,
    local_derivative_before,
    wrong_residuals,
    sums,
    exchanged_factor,
)
"""Kinds of explanations, the simple ones first."""


def diagnose(
    k: int,
    names: list[str],
    tries: Sequence[Try],
    beside: Sequence[Try],
    elsewhere: Callable[[], Sequence[Try]],
) -> str:
    """Return what is wrong with a gradient, in words; `no simple explanation` if nothing fits.

    Explanations are tried from simple to complex, and the first that holds at every try is taken.
    One that holds at the inputs, but not beside them, is taken if there is no other, and says so;
    unless it is a constant but -1, which anything is at the inputs where the output is a scalar.

    Args:
        k: which input.
        names: of the inputs.
        tries: several gradients that go back, at the inputs.
        beside: some at inputs that differ a little, where equal values, zeros and ones have become
            different; none where the derivation cannot be evaluated there.
        elsewhere: returns some at inputs with other signs, where other entries are masked; none
            likewise. It is called where a gradient is right but for a mask.
    """
    everywhere = [*tries, *beside]
    found = _search(k, names, everywhere, elsewhere)
    if found is None and beside:
        found = _search(k, names, tries, elsewhere, False)
        if found is not None:
            found = f"at these inputs, not beside them: {found}"
    return NONE if found is None else found


def _search(
    k: int,
    names: list[str],
    tries: Sequence[Try],
    elsewhere: Callable[[], Sequence[Try]],
    constants: bool = True,
) -> str | None:
    hand, right = [t.hand[k] for t in tries], [t.right[k] for t in tries]
    if not any(map(np.any, hand)):
        return "it is zero: the gradient is missing"
    if all(largest([t.right[k]]) <= AUTODIFF_ROUNDING * largest(t.d_outputs) for t in tries):
        return "it is not zero, where the right one is"
    constant = _holds(Explanation("", lambda t: (t.hand[k], t.right[k])), tries, True)
    if constant is not None and (constants or constant == -1):
        return constant_text(constant, k, names, tries[0])
    error = max(t.error(k) for t in tries)
    if error < SMALL:
        return small_error_text(error, k, tries)
    everywhere = tries
    if is_mask(hand, right):
        # A few zeros fit many explanations; elsewhere there are others.
        more = [t for t in elsewhere() if np.any(t.right[k])]
        if not more and not many_of_each(hand, right):
            return mask_text(hand, right)
        everywhere = [*tries, *more]
    for family in FAMILIES:
        for explanation in family(k, names, tries[-1]):
            factor = _holds(explanation, everywhere)
            if factor == 1:
                return explanation.text
            if factor is not None:
                return f"{explanation.text}; and {fraction_text(factor)} times what it should be"
    return mask_text(hand, right)


def _holds(explanation: Explanation, tries: Sequence[Try], simple: bool = False) -> float | None:
    """The constant factor between the sides, or None if they differ or it could be by chance.

    Whatever is tried, a number is some multiple of another number: a factor that is no fraction
    of small whole numbers wants at least three different values, and so does a local derivative.
    """
    factor, values, local = None, [], []
    for t in tries:
        with np.errstate(all="ignore"):
            try:
                found, expected = explanation.sides(t)
            except Exception:  # the user's backward may refuse other residuals
                return None
            size = np.abs(expected).max(initial=0)
            if not (np.isfinite(size) and size > 0 and np.isfinite(found).all()):
                return None
            if factor is None:
                largest = np.unravel_index(np.abs(expected).argmax(), expected.shape)
                factor = _named(float(found[largest] / expected[largest]))
            if not np.abs(found - factor * expected).max() <= EXACT * abs(factor) * size:
                return None
            values.append(expected / max(np.abs(d).max() for d in t.d_outputs))
            if explanation.factor is not None:
                local.append(np.asarray(explanation.factor(t)))
    if factor is None or factor == 0:
        return None
    whole = Fraction(factor).limit_denominator(LARGEST_WHOLE)
    if simple:
        named = (
            abs(float(whole) - factor) < 1e-12 and min(abs(whole.numerator), whole.denominator) <= 2
        )
        return factor if named or _different(values) >= 3 else None
    if 1 not in (abs(whole.numerator), whole.denominator) or float(whole) != factor:
        return None
    if factor == 1 and explanation.factor is None:
        return factor
    # A scalar differs from itself only beside the inputs.
    varies = explanation.factor is None or np.ptp(np.concatenate([a.ravel() for a in local])) > 0
    return factor if varies and _different(values) >= 3 else None


def _named(factor: float) -> float:
    """The fraction of whole numbers that a factor is, but for rounding; itself if it is none."""
    if not np.isfinite(factor):
        return 0.0
    near = float(Fraction(factor).limit_denominator(LARGEST_WHOLE))
    return near if abs(near - factor) <= 1e-10 * abs(factor) else factor


def _different(arrays: list[np.ndarray]) -> int:
    values = np.concatenate([np.abs(a).reshape(-1)[:MOST_VALUES] for a in arrays])
    return len({f"{v:.6e}" for v in values if np.isfinite(v)} - {f"{0:.6e}"})
