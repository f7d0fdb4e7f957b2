"""Central differences of a forward: its derivatives without any rule, and where it has none."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from dl_jax.backprop.checking.directions import in_groups, one_by_one
from dl_jax.backprop.checking.errors import AUTODIFF_ROUNDING, largest, relative
from dl_jax.backprop.checking.inputs import Arrays
from dl_jax.ops.compile_once import compile_once

STEPS = (1.0, 0.05)
"""Sizes of steps: the larger for few roundings, the smaller where the function bends fast.

A third is relative to the entries that move: log y at y = 1e-6 bends within 1e-6.
"""
ROUNDING = 1e-9
"""Of dE/d(output) times output: what is left in a difference with the first size of step."""
MOST_AT_ONCE = 2**20
"""Numbers in all directions together, up to which they are one batch; more need much memory."""
SMALLEST_SLOPE = 1e-3
"""Of dE/d(output) times output: a kink is looked for in slopes of at least that."""
KINK = 1e-3
"""What the slopes on both sides may differ by, relative to the largest; it shrinks without kink."""

SPREAD = 4
"""An error up to so many times what two sizes of step differ by is theirs."""


class Differences(NamedTuple):
    """Derivatives of the outputs along some directions of an input.

    Attributes:
        directions: `[g, *input]`; no entry is in two of them, each entry in one.
        lengths: `[g]`, the largest step of an entry in each.
        central: for each size of step and output `[g, *output]`, `(f(x + h v) - f(x - h v)) / 2h`.
        bends: for the sizes in `STEPS` `(f(x + h v) - 2 f(x) + f(x - h v)) / h`, the slopes'
            difference.
        output_size: the largest value of an output.
    """

    directions: np.ndarray
    lengths: np.ndarray
    central: list[Arrays]
    bends: list[Arrays]
    output_size: float

    def error(
        self, gradient: np.ndarray, d_outputs: Arrays, least_terms: float = 0.0
    ) -> np.ndarray:
        """Return the relative error of a gradient along each direction, per step of an entry.

        It is NaN where no difference is finite.
        """
        axes = tuple(range(1, self.directions.ndim))
        found = (self.directions * gradient).sum(axes) / self.lengths
        central = [_pulled(c, d_outputs) / self.lengths for c in self.central]
        apart = np.fmin.reduce([np.abs(found - c) for c in central])
        # Each size of step overestimates by its own rounding; the smallest is the right one.
        size = max(largest([found]), min(largest([c]) for c in central))
        # A gradient has roundings of its own where the output is as good as zero.
        terms = max(self.output_size, AUTODIFF_ROUNDING / ROUNDING) * largest(d_outputs)
        terms = max(terms, least_terms)
        return relative(apart, size, terms, ROUNDING)

    def unsure(self, gradient: np.ndarray, d_outputs: Arrays) -> np.ndarray:
        """Return for each direction whether differences tell nothing of a gradient.

        They leave where the function is defined, or differ from each other as much as from it.
        """
        axes = tuple(range(1, self.directions.ndim))
        found = (self.directions * gradient).sum(axes)
        central = [_pulled(c, d_outputs) for c in self.central]
        apart = np.fmin.reduce([np.abs(found - c) for c in central])
        spread = np.fmax.reduce([np.abs(a - central[1]) for a in (central[0], central[2])])
        return ~np.isfinite(central).any(0) | (apart < SPREAD * spread)

    def between(self, gradient: np.ndarray, d_outputs: Arrays) -> np.ndarray:
        """Return for each direction whether a gradient lies between the slopes on both sides."""
        axes = tuple(range(1, self.directions.ndim))
        found = (self.directions * gradient).sum(axes)
        middle, bend = (_pulled(each[1], d_outputs) for each in (self.central, self.bends))
        return np.abs(found - middle) <= np.abs(bend) * (1 + KINK) / 2

    def kinks(self, d_outputs: Arrays) -> np.ndarray:
        """Return for each direction whether the slopes on both sides differ, however small h."""
        far, near = (np.abs(_pulled(b, d_outputs)) for b in self.bends)
        size = min(largest([_pulled(c, d_outputs)]) for c in self.central)
        size = max(size, SMALLEST_SLOPE * self.output_size * largest(d_outputs), 1e-300)
        return (near > KINK * size) & (near > 0.5 * far)


def differences(
    f: Callable[[list[jax.Array]], list[jax.Array]],
    arrays: Arrays,
    which: int,
    only: np.ndarray | None = None,
) -> Differences:
    """Return differences of f along directions of one of its inputs.

    `h = u^(1/3)`, where the error of the formula, h^2, is as large as that of rounding, u / h.
    Where an input has many entries, groups of them move together, with random signs.

    Args:
        f: from floating leaves to floating leaves.
        arrays: where.
        which: of the leaves moves.
        only: a mask of the entries that move, each by itself; all, in groups, if it is None.
    """
    x = arrays[which]
    directions, lengths = in_groups(x) if only is None else one_by_one(x, only)
    count = len(directions)

    def at(moved: jax.Array) -> list[jax.Array]:
        return f([*map(jnp.asarray, arrays[:which]), moved, *map(jnp.asarray, arrays[which + 1 :])])

    h = float(np.cbrt(np.finfo(np.float64).eps))
    here = [np.asarray(y) for y in at(jnp.asarray(x))]
    closest = np.array([np.abs(x[v != 0]).min() for v in directions])
    relative_to_x = np.clip(np.where(closest == 0, np.inf, closest), 1e-9, STEPS[-1])
    steps = h * np.stack([np.full(count, s) for s in STEPS] + [relative_to_x])
    sides = np.stack([steps, -steps], 1)
    found = _each(at, x, directions, sides.reshape(-1, count))
    moved = [y.reshape(len(steps), 2, count, *y.shape[2:]) for y in found]
    central, bends = [], []
    for i, step in enumerate(steps):
        sizes = [step.reshape(count, *[1] * y.ndim) for y in here]
        central.append([(y[i, 0] - y[i, 1]) / (2 * k) for y, k in zip(moved, sizes, strict=True)])
        if i < len(STEPS):  # the third is too small for a second difference
            each = zip(moved, here, sizes, strict=True)
            bends.append([(y[i, 0] - 2 * y0 + y[i, 1]) / k for y, y0, k in each])
    return Differences(directions, lengths, central, bends, largest(here))


def _each(
    at: Callable[[jax.Array], list[jax.Array]],
    x: np.ndarray,
    directions: np.ndarray,
    steps: np.ndarray,
) -> Arrays:
    """Return the outputs `[s, g, ...]` at `x + step * direction`, for `steps` `[s, g]`."""
    here = jnp.asarray(x)

    def along(v: jax.Array, steps: jax.Array) -> list[jax.Array]:
        return jax.vmap(lambda step: at(here + step * v))(steps)

    def together(directions: jax.Array, steps: jax.Array) -> list[jax.Array]:
        if directions.size <= MOST_AT_ONCE:
            return jax.vmap(along, (0, 1), 1)(directions, steps)
        found = jax.lax.map(lambda each: along(*each), (directions, steps.T))
        return [jnp.moveaxis(y, 0, 1) for y in found]

    try:
        found = compile_once(together)(jnp.asarray(directions), jnp.asarray(steps))
    except Exception:  # a forward may look at its values, in an `if`, which vmap has none of
        points = x + steps.reshape(*steps.shape, *[1] * x.ndim) * directions
        each = [at(jnp.asarray(point)) for point in points.reshape(-1, *x.shape)]
        found = [
            np.stack(y).reshape(*steps.shape, *np.shape(y[0])) for y in zip(*each, strict=True)
        ]
    return [np.asarray(leaf) for leaf in found]


def _pulled(tangents: Arrays, d_outputs: Arrays) -> np.ndarray:
    count = len(tangents[0])
    found = np.zeros(count)
    for tangent, d_output in zip(tangents, d_outputs, strict=True):
        found = found + (tangent * d_output[None]).reshape(count, d_output.size).sum(1)
    return found
