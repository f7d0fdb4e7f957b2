"""Central differences of a forward: its derivatives without any rule, and where it has none."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from dl_jax.backprop.checking.inputs import Arrays

DIRECTIONS = 32
"""Steps into at most so many directions: of single entries, or of groups of them."""
STEPS = (1.0, 0.05)
"""Sizes of steps: the larger for few roundings, the smaller where the function bends fast.

A third is relative to the entries that move: log y at y = 1e-6 bends within 1e-6.
"""
KINK = 1e-3
"""What the slopes on both sides may differ by, relative to the largest; it shrinks without kink."""


class Differences(NamedTuple):
    """Derivatives of the outputs along some directions of an input.

    Attributes:
        directions: `[g, *input]`; no entry is in two of them, each entry in one.
        central: for each size of step and output `[g, *output]`, `(f(x + h v) - f(x - h v)) / 2h`.
        bends: for the same `(f(x + h v) - 2 f(x) + f(x - h v)) / h`, the slopes' difference.
        floor: a scale below which a derivative is rounding.
    """

    directions: np.ndarray
    central: list[Arrays]
    bends: list[Arrays]
    floor: float

    def error(self, gradient: np.ndarray, d_outputs: Arrays) -> np.ndarray:
        """Return the error of a gradient along each direction, relative to the largest."""
        axes = tuple(range(1, self.directions.ndim))
        found = (self.directions * gradient).sum(axes)
        errors = [np.abs(found - _pulled(c, d_outputs)) for c in self.central]
        return np.fmin.reduce(errors) / max(self._scale(d_outputs), np.abs(found).max(initial=0))

    def kinks(self, d_outputs: Arrays) -> np.ndarray:
        """Return for each direction whether the slopes on both sides differ, however small h."""
        far, near = (np.abs(_pulled(b, d_outputs)) for b in self.bends[:2])
        return (near > KINK * self._scale(d_outputs)) & (near > 0.5 * far)

    def _scale(self, d_outputs: Arrays) -> float:
        sizes = [np.abs(_pulled(c, d_outputs)) for c in self.central]
        largest = min(size[np.isfinite(size)].max(initial=0) for size in sizes)
        return max(float(largest), self.floor * _largest(d_outputs), 1e-300)


def differences(
    f: Callable[[list[jax.Array]], list[jax.Array]], arrays: Arrays, which: int
) -> Differences:
    """Return differences of f along directions of one of its inputs.

    `h = u^(1/3)`, where the error of the formula, h^2, is as large as that of rounding, u / h.
    Where an input has many entries, groups of them move together, with random signs.

    Args:
        f: from floating leaves to floating leaves.
        arrays: where.
        which: of the leaves moves.
    """
    x = arrays[which]
    count = min(x.size, DIRECTIONS)
    rng = np.random.default_rng(0)
    group = rng.permutation(x.size) % max(count, 1)
    steps = rng.choice([-1, 1], x.size) * np.maximum(1, np.abs(x.reshape(-1)))
    directions = np.where(group == np.arange(count)[:, None], steps, 0)
    directions = directions / np.sqrt(np.maximum(1, np.bincount(group, minlength=count)))[:, None]
    directions = directions.reshape(count, *x.shape)

    def at(moved: jax.Array) -> list[jax.Array]:
        return f([*map(jnp.asarray, arrays[:which]), moved, *map(jnp.asarray, arrays[which + 1 :])])

    h = float(np.cbrt(np.finfo(np.float64).eps))
    here = [np.asarray(y)[None] for y in at(jnp.asarray(x))]
    distances = np.where(directions == 0, np.inf, np.abs(x))
    closest = distances.min(tuple(range(1, x.ndim + 1)), initial=np.inf)
    relative = np.clip(np.where(closest == 0, np.inf, closest), 1e-9, STEPS[-1])
    steps = h * np.stack([np.full(count, s) for s in STEPS] + [relative])
    moves = steps.reshape(len(steps), 1, count, *[1] * x.ndim) * directions
    points = x + np.concatenate([moves, -moves], 1)
    found = _each(at, points.reshape(2 * len(steps) * count, *x.shape))
    moved = [y.reshape(len(steps), 2, count, *y.shape[1:]) for y in found]
    central, bends = [], []
    for i, step in enumerate(steps):
        sizes = [step.reshape(count, *[1] * (y.ndim - 3)) for y in moved]
        central.append([(y[i, 0] - y[i, 1]) / (2 * k) for y, k in zip(moved, sizes, strict=True)])
        bends.append(
            [(y[i, 0] - 2 * y0 + y[i, 1]) / k for y, y0, k in zip(moved, here, sizes, strict=True)]
        )
    return Differences(directions, central, bends, 1e-3 * _largest(here))


def _each(at: Callable[[jax.Array], list[jax.Array]], points: np.ndarray) -> Arrays:
    options = {"xla_backend_optimization_level": 0} if jax.default_backend() == "cpu" else None
    try:
        found = jax.jit(jax.vmap(at), compiler_options=options)(jnp.asarray(points))
    except Exception:  # a forward may look at its values, in an `if`, which vmap has none of
        each = [at(jnp.asarray(point)) for point in points]
        found = [np.stack(leaves) for leaves in zip(*each, strict=True)]
    return [np.asarray(leaf) for leaf in found]


def _pulled(tangents: Arrays, d_outputs: Arrays) -> np.ndarray:
    count = len(tangents[0])
    found = np.zeros(count)
    for tangent, d_output in zip(tangents, d_outputs, strict=True):
        found = found + (tangent * d_output[None]).reshape(count, d_output.size).sum(1)
    return found


def _largest(arrays: Arrays) -> float:
    return max((float(np.abs(a).max(initial=0)) for a in arrays), default=0.0)
