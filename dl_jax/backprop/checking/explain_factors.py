"""A local derivative that is missing, too many, or another than the right one."""

import itertools
from collections.abc import Callable, Iterator

import numpy as np

from dl_jax.backprop.checking.explanation import Explanation
from dl_jax.backprop.checking.transformations import COMPOUND, FACTORS
from dl_jax.backprop.checking.tries import Try


def local_derivative(k: int, names: list[str], sample: Try) -> Iterator[Explanation]:
    """A factor that is a function of some value is missing, or too many."""
    del names
    shape = sample.right[k].shape
    for text, g in _factors(sample, shape):
        yield Explanation(
            f"the local derivative is missing: multiply by {text}",
            lambda t, g=g: (t.hand[k] * g(t), t.right[k]), g,
        )  # fmt: skip
        yield Explanation(
            f"a factor too many: {text}", lambda t, g=g: (t.hand[k], t.right[k] * g(t)), g
        )


def local_derivative_before(k: int, names: list[str], sample: Try) -> Iterator[Explanation]:
    """A factor is missing from dE/d(output), before a linear map takes it to the input."""
    del names
    if len(sample.d_outputs) > 1:
        return
    name = sample.point.output_names[0]

    def by_hand(t: Try, d_output: np.ndarray) -> np.ndarray:
        return t.by_hand(t.point.residuals, [d_output])[k]

    for text, g in _factors(sample, sample.d_outputs[0].shape):
        yield Explanation(
            f"right after dE/d({name}) is multiplied by {text}: the local derivative is missing",
            lambda t, g=g: (by_hand(t, t.d_outputs[0] * g(t)), t.right[k]), g,
        )  # fmt: skip
        yield Explanation(
            f"right after dE/d({name}) is divided by {text}: a factor too many",
            lambda t, g=g: (by_hand(t, t.d_outputs[0] / g(t)), t.right[k]), g,
        )  # fmt: skip


def exchanged_factor(k: int, names: list[str], sample: Try) -> Iterator[Explanation]:
    """One function of a value stands where another is right."""
    del names
    shape = sample.right[k].shape
    for name, spread in _spreads(sample, shape):
        for (wrong, g), (right, h) in itertools.permutations(COMPOUND, 2):

            def ratio(t, spread=spread, g=g, h=h):
                return g(spread(t)) / h(spread(t))

            yield Explanation(
                f"{wrong} stands where {right} is right, y = {name}",
                lambda t, s=spread, g=g, h=h: (t.hand[k] * h(s(t)), t.right[k] * g(s(t))), ratio,
            )  # fmt: skip


def _factors(
    sample: Try, shape: tuple[int, ...]
) -> Iterator[tuple[str, Callable[[Try], np.ndarray]]]:
    spreads = list(_spreads(sample, shape))
    for text, g in FACTORS:
        for name, spread in spreads:
            yield f"{text} with y = {name}", lambda t, g=g, s=spread: g(s(t))


def _spreads(
    sample: Try, shape: tuple[int, ...]
) -> Iterator[tuple[str, Callable[[Try], np.ndarray]]]:
    """The values of a shape, or that are spread over it: a value an example, a value a channel."""
    seen: list[np.ndarray] = []
    for name, value in sample.point.values.items():
        if any(value.shape == s.shape and np.array_equal(value, s) for s in seen):
            continue
        seen.append(value)
        lengthened = value.shape + (1,) * (len(shape) - value.ndim)
        if value.ndim <= len(shape) and _spreads_over(lengthened, shape):
            yield name, lambda t, n=name, s=lengthened: t.point.values[n].reshape(s)
        elif value.ndim < len(shape) and _spreads_over(value.shape, shape[-value.ndim :]):
            yield name, lambda t, n=name: t.point.values[n]


def _spreads_over(small: tuple[int, ...], large: tuple[int, ...]) -> bool:
    return all(s in (1, n) for s, n in zip(small, large, strict=True))
