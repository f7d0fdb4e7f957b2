"""What may be wrong with a gradient, each as an equation that can be tried.

An explanation holds if its two sides are equal at every try, up to a constant factor. None of
them is trivial: where a transformation changes nothing, both sides are what was wrong before.
"""

import itertools
from collections.abc import Callable, Iterator
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from dl_jax.backprop.checking.inputs import Arrays
from dl_jax.backprop.checking.transformations import (
    COMPOUND,
    FACTORS,
    axes_text,
    moves,
    subsets,
)
from dl_jax.backprop.checking.tries import Try

MOST_ENTRIES = 64
"""The diagonal of a Jacobian is taken for at most so many entries."""


class Explanation(NamedTuple):
    """A guess.

    Attributes:
        text: in words.
        sides: the two arrays that should be equal, up to a constant factor.
        factor: the values of a local derivative in it, which must not all be one; or None.
    """

    text: str
    sides: Callable[[Try], tuple[np.ndarray, np.ndarray]]
    factor: Callable[[Try], np.ndarray] | None = None


def other_leaves(k: int, names: list[str], sample: Try) -> Iterator[Explanation]:
    """It is the gradient by another input."""
    for j, right in enumerate(sample.right):
        if j == k:
            continue
        if right.shape == sample.hand[k].shape:
            text = f"it is the right gradient by {names[j]}: exchanged"
            yield Explanation(text, lambda t, j=j: (t.hand[k], t.right[j]))
        elif right.shape == sample.hand[k].shape[::-1]:
            text = f"it is the right gradient by {names[j]}, transposed"
            yield Explanation(text, lambda t, j=j: (t.hand[k], t.right[j].T))


def moved_entries(k: int, names: list[str], sample: Try) -> Iterator[Explanation]:
    """Every entry is right, at another place: transposed, reversed, rolled."""
    del names
    for text, move in moves(sample.right[k].shape):
        yield Explanation(text, lambda t, move=move: (t.hand[k], move(t.right[k])))
    shape = sample.right[k].shape
    for axis in [a for a, n in enumerate(shape) if n > 2]:
        for step in (1, -1):
            # What comes in at the edge is not known: the others tell.
            head, tail = (np.arange(shape[axis])[s] for s in (slice(1, None), slice(None, -1)))
            to, of = (head, tail) if step > 0 else (tail, head)
            yield Explanation(
                f"off by one along axis {axis} (shifted by {step})",
                lambda t, a=axis, to=to, of=of: (t.hand[k].take(to, a), t.right[k].take(of, a)),
            )
    for name, output in zip(sample.output_names, sample.d_outputs, strict=True):
        if output.size == np.prod(shape) and output.shape != shape:
            yield Explanation(
                f"reshaped from the shape of {name} in column-major order (order='F')",
                lambda t, s=output.shape: (
                    t.hand[k], t.right[k].reshape(s).reshape(shape, order="F")),
            )  # fmt: skip


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
    name = sample.output_names[0]
    for text, g in _factors(sample, sample.d_outputs[0].shape):
        yield Explanation(
            f"right after dE/d({name}) is multiplied by {text}: the local derivative is missing",
            lambda t, g=g: (t.backward(t.residuals, [t.d_outputs[0] * g(t)])[k], t.right[k]), g,
        )  # fmt: skip
        yield Explanation(
            f"right after dE/d({name}) is divided by {text}: a factor too many",
            lambda t, g=g: (t.backward(t.residuals, [t.d_outputs[0] / g(t)])[k], t.right[k]), g,
        )  # fmt: skip


def wrong_residuals(k: int, names: list[str], sample: Try) -> Iterator[Explanation]:
    """The formula is right, with a residual transposed, reversed, negated or another value."""
    del names
    for i, name in enumerate(sample.residual_names):
        if name not in sample.values:
            continue
        value = sample.values[name]
        if sample.residuals[i].dtype == bool:
            yield Explanation(
                f"right with the opposite of the mask {name}",
                lambda t, i=i, n=name: (_with_residual(t, i, t.values[n] == 0)[k], t.right[k]),
            )
            continue
        changes = [(f"with {name} {text}", move) for text, move in moves(value.shape, False)]
        changes.append((f"with the other sign of {name}", np.negative))
        for text, change in changes:
            yield Explanation(
                f"right {text}", lambda t, i=i, n=name, c=change: (
                    _with_residual(t, i, c(t.values[n]))[k], t.right[k])
            )  # fmt: skip
        for other in sample.values:
            if other != name and sample.values[other].shape == value.shape:
                yield Explanation(
                    f"right with {other} in the place of {name}",
                    lambda t, i=i, o=other: (_with_residual(t, i, t.values[o])[k], t.right[k]),
                )


def sums(k: int, names: list[str], sample: Try) -> Iterator[Explanation]:
    """A sum over a wrong axis, one too many, or one that is missing."""
    del names
    shape = sample.right[k].shape
    for axes in subsets([a for a, n in enumerate(shape) if n > 1]):
        yield Explanation(
            f"summed over {axes_text(axes)} of the gradient, where no sum is",
            lambda t, a=axes: (
                t.hand[k], np.broadcast_to(t.right[k].sum(a, keepdims=True), shape)),
        )  # fmt: skip
    if len(sample.d_outputs) > 1:
        return
    name, (d_output,) = sample.output_names[0], sample.d_outputs
    for axis, n in enumerate(d_output.shape):
        for index, word in ((0, "first"), (n - 1, "last")) if n > 1 else ():
            keep = np.expand_dims(
                np.arange(n) == index, [a for a in range(d_output.ndim) if a != axis]
            )
            yield Explanation(
                f"only the {word} entry along axis {axis} of {name} counts: a sum is missing",
                lambda t, m=keep: (t.hand[k], t.pull([t.d_outputs[0] * m])[k]),
            )
    yield from _wrong_axes(k, sample)
    if shape == d_output.shape and 1 < d_output.size <= MOST_ENTRIES:
        yield Explanation(
            f"only the diagonal of the Jacobian: entries of {name} depend on others, too",
            lambda t: (t.hand[k], _diagonal(t, k) * t.d_outputs[0]),
        )


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


def _wrong_axes(k: int, sample: Try) -> Iterator[Explanation]:
    shape, (d_output,) = sample.right[k].shape, sample.d_outputs
    products = {"": lambda t: t.d_outputs[0]}
    for name, value in sample.values.items():
        if value.shape == d_output.shape:
            products[f" times {name}"] = lambda t, n=name: t.d_outputs[0] * t.values[n]
    for text, product in products.items():
        ways = [
            a for a in subsets(list(range(d_output.ndim)))
            if tuple(n for i, n in enumerate(d_output.shape) if i not in a) == shape
        ]  # fmt: skip
        right = [a for a in ways if np.allclose(product(sample).sum(a), sample.right[k], 1e-9, 0)]
        for axes in ways if right else ():
            yield Explanation(
                f"summed over {axes_text(axes)} of dE/d({sample.output_names[0]}){text}, where "
                f"{axes_text(right[0])} is right",
                lambda t, p=product, a=axes: (t.hand[k], p(t).sum(a)),
            )  # fmt: skip


def _with_residual(t: Try, i: int, value: np.ndarray) -> Arrays:
    residuals = [*t.residuals[:i], jnp.asarray(value), *t.residuals[i + 1 :]]
    return t.backward(residuals, t.d_outputs)


def _diagonal(t: Try, k: int) -> np.ndarray:
    d_output = t.d_outputs[0]
    units = np.eye(d_output.size).reshape(d_output.size, *d_output.shape)
    entries = [t.pull([unit])[k].reshape(-1)[i] for i, unit in enumerate(units)]
    return np.array(entries).reshape(d_output.shape)


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
    for name, value in sample.values.items():
        if any(value.shape == s.shape and np.array_equal(value, s) for s in seen):
            continue
        seen.append(value)
        lengthened = value.shape + (1,) * (len(shape) - value.ndim)
        if value.ndim <= len(shape) and _spreads_over(lengthened, shape):
            yield name, lambda t, n=name, s=lengthened: t.values[n].reshape(s)
        elif value.ndim < len(shape) and _spreads_over(value.shape, shape[-value.ndim :]):
            yield name, lambda t, n=name: t.values[n]


def _spreads_over(small: tuple[int, ...], large: tuple[int, ...]) -> bool:
    return all(s in (1, n) for s, n in zip(small, large, strict=True))
