"""What a guess at a mistake is."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from dl_jax.backprop.checking.tries import Try


class Explanation(NamedTuple):
    """A guess, as an equation that can be tried.

    It holds if its two sides are equal at every try, up to a constant factor. None is trivial:
    where a transformation changes nothing, both sides are what was wrong before.

    Attributes:
        text: in words.
        sides: the two arrays that should be equal, up to a constant factor.
        factor: the values of a local derivative in it, which must not all be one; or None.
    """

    text: str
    sides: Callable[[Try], tuple[np.ndarray, np.ndarray]]
    factor: Callable[[Try], np.ndarray] | None = None
