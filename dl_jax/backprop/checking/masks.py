"""Gradients that are right at some entries, and zero or wrong at the others."""

import itertools

import numpy as np

from dl_jax.backprop.checking.errors import EXACT
from dl_jax.backprop.checking.inputs import Arrays

LEAST_ENTRIES = 8
"""Of a gradient whose zeros alone tell an explanation."""
LEAST_OF_EACH = 2
"""Entries that are right, and as many that are not."""


def is_mask(hand: Arrays, right: Arrays) -> bool:
    """Whether a gradient is right wherever it and the right one aren't zero.

    Each entry is then 0 or 1 times another, as after a mask, and so is any gradient of two entries
    of which one is zero.
    """
    return all(
        np.all((np.abs(h - r) <= EXACT * np.abs(r).max()) | (h == 0) | (r == 0))
        for h, r in zip(hand, right, strict=True)
    )


def many_of_each(hand: Arrays, right: Arrays) -> bool:
    """Whether the entries that are right and that are not are too many to be so by chance."""
    count = int(np.sum(np.abs(hand[0] - right[0]) <= EXACT * np.abs(right[0]).max()))
    size = hand[0].size
    return size >= LEAST_ENTRIES and LEAST_OF_EACH <= count <= size - LEAST_OF_EACH


def mask_text(hand: Arrays, right: Arrays) -> str | None:
    """Return where a gradient is right, if it is at many entries; None if not."""
    agree, zero, wanted_zero = (np.ones(hand[0].shape, bool) for _ in range(3))
    nonzero = np.zeros(hand[0].shape, bool)
    for h, r in zip(hand, right, strict=True):
        agree &= np.abs(h - r) <= EXACT * np.abs(r).max()
        zero &= h == 0
        wanted_zero &= np.abs(r) <= EXACT * np.abs(r).max()
        nonzero |= r != 0
    if not np.any(agree & nonzero & ~wanted_zero):
        return None
    count = f"right at {agree.sum()} of {agree.size} entries"
    if np.all(agree | zero):
        return f"{count}, zero at the others: right up to a mask"
    if np.all(agree | wanted_zero):
        return f"{count}, the others should be zero: right up to a mask"
    if 2 * agree.sum() >= agree.size:
        wrong = [str(tuple(map(int, i))) for i in itertools.islice(np.argwhere(~agree), 3)]
        more = ", ..." if (~agree).sum() > 3 else ""
        return f"{count}, wrong at {', '.join(wrong)}{more}"
    return None
