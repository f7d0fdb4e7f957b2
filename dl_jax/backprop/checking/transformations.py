"""How arrays may have been changed: their entries moved, or multiplied by a function."""

import itertools
from collections.abc import Callable, Iterator

import numpy as np

MOST_AXES = 5
"""Axes are permuted in arrays of at most so many: 120 ways."""

FACTORS: tuple[tuple[str, Callable[[np.ndarray], np.ndarray]], ...] = (
    ("y", lambda y: y),
    ("1 - y", lambda y: 1 - y),
    ("y (1 - y)", lambda y: y * (1 - y)),
    ("1 - y^2", lambda y: 1 - y**2),
    ("y^2", lambda y: y**2),
    ("1 + y", lambda y: 1 + y),
    ("the mask y > 0", lambda y: (y > 0) + 0.0),
    ("e^y", np.exp),
    ("log y", np.log),
    ("sqrt(y)", np.sqrt),
    ("sigmoid(y)", lambda y: 1 / (1 + np.exp(-y))),
    ("s (1 - s), s = sigmoid(y)", lambda y: np.exp(-y) / (1 + np.exp(-y)) ** 2),
    ("1 - tanh(y)^2", lambda y: 1 - np.tanh(y) ** 2),
    ("cos y", np.cos),
    ("sin y", np.sin),
    ("y^3", lambda y: y**3),
)
"""Functions that occur in derivatives, simple ones first."""
COMPOUND = tuple(FACTORS[i] for i in (2, 3, 4, 0, 1, 5, 6))
"""Those that are exchanged with each other; `y (1 - y)` for `1 - y^2`, and not y for 1 + y."""


def moves(
    shape: tuple[int, ...], reshaped: bool = True
) -> Iterator[tuple[str, Callable[[np.ndarray], np.ndarray]]]:
    """Yield ways to move the entries of an array, in words and as functions; the shape stays.

    Args:
        shape: of the array.
        reshaped: whether to permute axes also where that takes a reshape afterwards.
    """
    ndim, long = len(shape), [a for a, n in enumerate(shape) if n > 1]
    for order in itertools.permutations(range(ndim)) if 1 < ndim <= MOST_AXES else ():
        permuted = tuple(shape[a] for a in order)
        what = "transposed" if order == (1, 0) else f"with axes permuted {order}"
        if order == tuple(range(ndim)):
            continue
        if permuted == shape:
            yield what, lambda x, o=order: x.transpose(o)
        elif reshaped:
            yield (
                f"{what} and then reshaped to {shape}",
                lambda x, o=order: x.transpose(o).reshape(shape),
            )
    for axes in subsets(long):
        yield f"reversed along {axes_text(axes)}", lambda x, a=axes: np.flip(x, a)
    for axis in long:
        for step in (1, -1):
            words = f"off by one along axis {axis}"
            if shape[axis] > 2:
                yield f"{words} (rolled by {step})", lambda x, s=step, a=axis: np.roll(x, s, a)
            yield (
                f"{words} (shifted by {step}, with zeros)",
                lambda x, s=step, a=axis: _shift(x, s, a),
            )


def subsets(axes: list[int]) -> Iterator[tuple[int, ...]]:
    """Yield all sets of some axes but the empty one, small ones first."""
    for count in range(1, len(axes) + 1):
        yield from itertools.combinations(axes, count)


def axes_text(axes: tuple[int, ...]) -> str:
    """Return `axis 0` or `axes 0, 1`."""
    return f"axis {axes[0]}" if len(axes) == 1 else f"axes {', '.join(map(str, axes))}"


def _shift(x: np.ndarray, step: int, axis: int) -> np.ndarray:
    shifted = np.roll(x, step, axis)
    lost = [slice(None)] * x.ndim
    lost[axis] = slice(0, step) if step > 0 else slice(step, None)
    shifted[tuple(lost)] = 0
    return shifted
