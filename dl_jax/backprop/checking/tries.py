"""Gradients that go back, what comes of them by hand and by automatic differentiation."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from dl_jax.backprop.checking.derivation import Point, evaluate
from dl_jax.backprop.checking.errors import AUTODIFF_ROUNDING, largest, relative
from dl_jax.backprop.checking.inputs import Arrays, Inputs
from dl_jax.backprop.pair import Pair

NUM_BESIDE = 2
"""Inputs beside the example, with one gradient each."""
NUM_ELSEWHERE = 4
"""Inputs that have nothing to do with the example, with one gradient each."""
LARGEST_TERMS = 1e4
"""Of the largest dE/d(output): more is no cancelling, but inputs of another scale."""


class Try(NamedTuple):
    """Hand and right gradients for one gradient that goes back, at some inputs.

    Attributes:
        point: the derivation at the inputs.
        d_outputs: what goes back, an array an output.
        hand: the gradients by hand, an array an input; zeros where backward gave None.
        right: by automatic differentiation.
    """

    point: Point
    d_outputs: Arrays
    hand: Arrays
    right: Arrays

    def by_hand(self, residuals: Sequence[Any], d_outputs: Arrays) -> Arrays:
        """Return what the backward makes of other residuals or of another dE/d(output)."""
        return _filled(self.point.backward(residuals, d_outputs), self.right)

    def error(self, k: int, without: np.ndarray | None = None) -> float:
        """Return how far the gradient by an input is from automatic differentiation.

        Args:
            k: which input.
            without: a mask of entries that don't count.
        """
        hand, right = self.hand[k], self.right[k]
        apart = np.abs(hand - right)
        apart = apart.max() if without is None else apart[~without].max(initial=0)
        return float(relative(apart, largest([hand, right]), self.terms(), AUTODIFF_ROUNDING))

    def terms(self) -> float:
        """Return how large the terms may be that cancel in a gradient."""
        return max(largest(self.d_outputs), self.others())

    def others(self) -> float:
        """Return how large the terms are that an input has in common with others.

        A bias before a normalisation has a gradient of zero, a sum of what goes to the other input.
        """
        return min(largest(self.right), LARGEST_TERMS * largest(self.d_outputs))


def try_once(point: Point, inputs: Inputs, rng: np.random.Generator) -> Try:
    """Return the gradients for a random `dE/d(output)`.

    Raises:
        ValueError: if there is None for an input whose derivative is not zero.
    """
    d_outputs = [rng.normal(size=y.shape) for y in point.outputs]
    right = point.pull(d_outputs)
    given = point.backward(point.residuals, d_outputs)
    for name, gradient, r in zip(inputs.names, given, right, strict=True):
        if gradient is None and np.any(r):
            raise ValueError(
                f"backward returned None for {name}, which has a derivative that is not zero; "
                "return its gradient"
            )
    return Try(point, d_outputs, _filled(given, right), right)


def tries_beside(pair: Pair, inputs: Inputs, rng: np.random.Generator) -> list[Try]:
    """Return tries at inputs that differ by some percent, with their signs.

    None are returned if the derivation cannot be evaluated there, or is not finite.
    """

    def beside(x: np.ndarray) -> np.ndarray:
        u = 0.05 * rng.uniform(0.5, 1, x.shape) * rng.choice([-1, 1], x.shape)
        return np.where(x == 0, u, x * (1 + u))

    return _tries_at(
        [[beside(x) for x in inputs.arrays] for _ in range(NUM_BESIDE)], pair, inputs, rng
    )


def tries_elsewhere(pair: Pair, inputs: Inputs, rng: np.random.Generator) -> list[Try]:
    """Return tries at random inputs of the same sizes, with other signs.

    None are returned if the derivation cannot be evaluated there, or is not finite.
    """

    def elsewhere(x: np.ndarray) -> np.ndarray:
        return rng.normal(size=x.shape) * (np.sqrt((x**2).mean()) or 1.0)

    return _tries_at(
        [[elsewhere(x) for x in inputs.arrays] for _ in range(NUM_ELSEWHERE)], pair, inputs, rng
    )


def _tries_at(
    places: list[Arrays], pair: Pair, inputs: Inputs, rng: np.random.Generator
) -> list[Try]:
    found = []
    for moved in places:
        try:
            t = try_once(evaluate(pair, inputs, moved), inputs, rng)
        except Exception:  # a forward may refuse such inputs
            return []
        if not all(np.isfinite(g).all() for g in [*t.hand, *t.right]):
            return []
        found.append(t)
    return found


def _filled(gradients: Sequence[np.ndarray | None], like: Arrays) -> Arrays:
    return [np.zeros_like(x) if g is None else g for g, x in zip(gradients, like, strict=True)]
