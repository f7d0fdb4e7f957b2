"""A sum over a wrong axis, one too many, or one that is missing."""

from collections.abc import Iterator

import numpy as np

from dl_jax.backprop.checking.explanation import Explanation
from dl_jax.backprop.checking.transformations import axes_text, subsets
from dl_jax.backprop.checking.tries import Try

MOST_ENTRIES = 64
"""The diagonal of a Jacobian is taken for at most so many entries."""


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
    name, (d_output,) = sample.point.output_names[0], sample.d_outputs
    for axis, n in enumerate(d_output.shape):
        for index, word in ((0, "first"), (n - 1, "last")) if n > 1 else ():
            keep = np.expand_dims(
                np.arange(n) == index, [a for a in range(d_output.ndim) if a != axis]
            )
            yield Explanation(
                f"only the {word} entry along axis {axis} of {name} counts: a sum is missing",
                lambda t, m=keep: (t.hand[k], t.point.pull([t.d_outputs[0] * m])[k]),
            )
    yield from _wrong_axes(k, sample)
    if shape == d_output.shape and 1 < d_output.size <= MOST_ENTRIES:
        yield Explanation(
            f"only the diagonal of the Jacobian: entries of {name} depend on others, too",
            lambda t: (t.hand[k], _diagonal(t, k) * t.d_outputs[0]),
        )


def _wrong_axes(k: int, sample: Try) -> Iterator[Explanation]:
    shape, (d_output,) = sample.right[k].shape, sample.d_outputs
    products = {"": lambda t: t.d_outputs[0]}
    for name, value in sample.point.values.items():
        if value.shape == d_output.shape:
            products[f" times {name}"] = lambda t, n=name: t.d_outputs[0] * t.point.values[n]
    for text, product in products.items():
        ways = [
            a for a in subsets(list(range(d_output.ndim)))
            if tuple(n for i, n in enumerate(d_output.shape) if i not in a) == shape
        ]  # fmt: skip
        right = [a for a in ways if np.allclose(product(sample).sum(a), sample.right[k], 1e-9, 0)]
        for axes in ways if right else ():
            yield Explanation(
                f"summed over {axes_text(axes)} of dE/d({sample.point.output_names[0]}){text}, "
                f"where {axes_text(right[0])} is right",
                lambda t, p=product, a=axes: (t.hand[k], p(t).sum(a)),
            )


def _diagonal(t: Try, k: int) -> np.ndarray:
    d_output = t.d_outputs[0]
    units = np.eye(d_output.size).reshape(d_output.size, *d_output.shape)
    entries = [t.point.pull([unit])[k].reshape(-1)[i] for i, unit in enumerate(units)]
    return np.array(entries).reshape(d_output.shape)
