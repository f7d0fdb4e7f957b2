"""A rule at some shapes, and values to try it on."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Case(NamedTuple):
    """A rule at some shapes.

    Attributes:
        forward: `forward(*inputs) -> (output, residuals)`.
        backward: `backward(residuals, d_output) -> d_inputs`.
        reference: `reference(*inputs) -> output`, for automatic differentiation.
        inputs: float64 arrays, and integers and keys, which have no derivative.
        smooth: whether a derivative exists here, so that differences can be taken.
    """

    forward: Callable[..., tuple[Any, Any]]
    backward: Callable[..., tuple[Any, ...]]
    reference: Callable[..., Any]
    inputs: tuple[Any, ...]
    smooth: bool = True


def shape(rng: np.random.Generator, ndim: int, low: int = 1, high: int = 4) -> tuple[int, ...]:
    """Return a shape with axes of low to high entries."""
    return tuple(int(n) for n in rng.integers(low, high, ndim, endpoint=True))


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return normally distributed values."""
    return rng.normal(size=shape)


def probabilities(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return positive values whose last axis sums to 1."""
    return rng.dirichlet(np.full(shape[-1], 5.0), shape[:-1])


def distinct(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return values at least 0.1 apart from each other and from 0: no kink is near."""
    size = int(np.prod(shape))
    return 0.1 * (rng.permutation(size).reshape(shape) - size // 2 + 0.5)


def few_values(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return whole numbers of which many are equal: the ties of a maximum."""
    return rng.integers(0, 3, shape).astype(np.float64)
