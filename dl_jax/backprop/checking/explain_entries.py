"""What is right, but at another place: of another input, moved, or with a residual moved."""

from collections.abc import Iterator

import jax.numpy as jnp
import numpy as np

from dl_jax.backprop.checking.explanation import Explanation
from dl_jax.backprop.checking.inputs import Arrays
from dl_jax.backprop.checking.transformations import moves
from dl_jax.backprop.checking.tries import Try


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
    for name, output in zip(sample.point.output_names, sample.d_outputs, strict=True):
        if output.size == np.prod(shape) and output.shape != shape:
            yield Explanation(
                f"reshaped from the shape of {name} in column-major order (order='F')",
                lambda t, s=output.shape: (
                    t.hand[k], t.right[k].reshape(s).reshape(shape, order="F")),
            )  # fmt: skip


def wrong_residuals(k: int, names: list[str], sample: Try) -> Iterator[Explanation]:
    """The formula is right, with a residual transposed, reversed, negated or another value."""
    del names
    values = sample.point.values
    for i, name in enumerate(sample.point.residual_names):
        if name not in values:
            continue
        value = values[name]
        if sample.point.residuals[i].dtype == bool:
            yield Explanation(
                f"right with the opposite of the mask {name}",
                lambda t, i=i, n=name: (
                    _with_residual(t, i, t.point.values[n] == 0)[k], t.right[k]),
            )  # fmt: skip
            continue
        changes = [(f"with {name} {text}", move) for text, move in moves(value.shape, False)]
        changes.append((f"with the other sign of {name}", np.negative))
        for text, change in changes:
            yield Explanation(
                f"right {text}", lambda t, i=i, n=name, c=change: (
                    _with_residual(t, i, c(t.point.values[n]))[k], t.right[k])
            )  # fmt: skip
        for other in values:
            if other != name and values[other].shape == value.shape:
                yield Explanation(
                    f"right with {other} in the place of {name}",
                    lambda t, i=i, o=other: (
                        _with_residual(t, i, t.point.values[o])[k], t.right[k]),
                )  # fmt: skip


def _with_residual(t: Try, i: int, value: np.ndarray) -> Arrays:
    residuals = t.point.residuals
    return t.by_hand([*residuals[:i], jnp.asarray(value), *residuals[i + 1 :]], t.d_outputs)
