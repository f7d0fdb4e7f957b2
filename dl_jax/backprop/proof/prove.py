"""The proof of a hand derivation: against automatic differentiation, and against differences."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np

from dl_jax.backprop.proof.case import Case
from dl_jax.backprop.proof.rounding import rounding_errors
from dl_jax.ops.compile_once import compile_once

Precision = Literal["float64", "float32"]
AUTODIFF_BOUND = 1e-12
"""Relative error in float64: a few thousand roundings of 1.1e-16."""
DIFFERENCES_BOUND = 1e-7
"""Relative error in float64 of central differences, whose own error is about 1e-10."""
SAFETY = 2
"""Times the bound of first order in float32: for its second order, and for a compiler that writes
an expression in another way, as `x * (1 / c)` for `x / c`."""
CANCELLED = 0.01
"""Where less than this is left of the terms of a sum, float64 errors are relative to them."""


class Leaf(NamedTuple):
    """The proof of the gradient by one input, or of the output (`name` is `"output"`).

    Attributes:
        name: which input.
        shape: of the input.
        autodiff: largest difference from automatic differentiation, relative; in float32 that of
            the entry nearest to its bound, relative to the largest entry.
        differences: largest difference from central differences over every coordinate, relative;
            None where no derivative exists or in float32.
        bound: what `autodiff` may be.
    """

    name: str
    shape: tuple[int, ...]
    autodiff: float
    differences: float | None
    bound: float

    @property
    def passed(self) -> bool:
        """Whether both errors are within their bounds."""
        near = self.differences is None or self.differences <= DIFFERENCES_BOUND
        return self.autodiff <= self.bound and near  # a NaN is within no bound


def prove(case: Case, precision: Precision = "float64", seed: int = 0) -> list[Leaf]:
    """Prove a rule at one case: output and gradients by hand against their references.

    A random `dE/d(output)` goes back, so that no output hides behind another.

    How far rounding can take each entry follows from the operations of the hand derivation, by
    `rounding_errors`: where the terms of a sum cancel, be it in the rule as in `1 - y^2`, in the
    forward pass or over the outputs, few digits are right. In float32 the hand derivation is
    compared with the float64 reference, entry by entry, and that, times 2, is the bound. In
    float64 the bounds are far above rounding, and an error is relative to the largest entry of its
    array, unless nearly everything cancels: a hundredth of `rounding_errors` is the least.

    Whatever is in float64 is computed on a CPU, since not every accelerator has all of it; the
    float32 derivation on the default device, in full precision: an accelerator's faster products
    have fewer digits.

    Args:
        case: rule, reference and inputs.
        precision: of the hand derivation.
        seed: of the gradient that goes back.
    """
    with jax.enable_x64(True), jax.default_matmul_precision("highest"):
        with jax.default_device(jax.local_devices(backend="cpu")[0]):
            shape = jax.eval_shape(case.reference, *case.inputs).shape
            # Not the stream of numbers that the inputs came from, which may have the same seed.
            back = np.asarray(np.random.default_rng((seed, 1)).normal(size=shape))
            program = compile_once(partial(_evaluate, case, precision))
            found = program(list(case.inputs), back)
        if precision == "float32":
            narrow = [x.astype(np.float32) if _is_float(x) else x for x in case.inputs]
            program = compile_once(partial(_by_hand, case))
            found = found._replace(by_hand=program(narrow, back.astype(np.float32)))
    by_hand, right, central, errors = jax.tree.map(np.asarray, found)
    chex.assert_trees_all_equal_shapes(by_hand, right)
    chex.assert_type(by_hand, np.dtype(precision))

    names = ["output", *(f"input {i}" for i in _moving(case))]
    leaves = []
    for k, (name, hand, true) in enumerate(zip(names, by_hand, right, strict=True)):
        rounding = np.where(np.isfinite(errors[k]), errors[k], 0)  # what is not bounds nothing
        least = CANCELLED * _size(rounding)
        autodiff, bound = _error(hand, true, least), AUTODIFF_BOUND
        if precision == "float32":
            autodiff, bound = _nearest_to_bound(hand, true, rounding)
        differences = _error(hand, central[k - 1], least) if k and central else None
        leaves.append(Leaf(name, true.shape, autodiff, differences, bound))
    return leaves


class _Found(NamedTuple):
    """By hand and by autodiff; differences, or none; how far rounding can take what is by hand."""

    by_hand: list[Any]
    right: list[Any]
    central: list[Any]
    errors: list[Any]


def _evaluate(case: Case, precision: Precision, inputs: list[Any], back: jax.Array) -> _Found:
    """All that is in float64."""
    moves = _moving(case)

    def placed(moving: Sequence[jax.Array]) -> list[Any]:
        known = dict(zip(moves, moving, strict=True))
        return [known.get(i, x) for i, x in enumerate(inputs)]

    moving = [inputs[i] for i in moves]
    expected, pull = jax.vjp(lambda *m: case.reference(*placed(m)), *moving)
    right = [expected, *pull(back)]
    errors = rounding_errors(partial(_by_hand, case), inputs, back)
    if precision == "float32":
        return _Found([], right, [], errors)
    central = []
    if case.smooth:
        central = [
            _differences(lambda *m: case.forward(*placed(m))[0], moving, k, back)
            for k in range(len(moving))
        ]
    return _Found(_by_hand(case, inputs, back), right, central, errors)


def _by_hand(case: Case, inputs: list[Any], back: jax.Array) -> list[jax.Array]:
    """The output, and the gradients by the inputs that have one."""
    output, residuals = case.forward(*inputs)
    gradients = case.backward(residuals, back)
    return [output, *(gradients[i] for i in _moving(case))]


def _moving(case: Case) -> list[int]:
    return [i for i, x in enumerate(case.inputs) if _is_float(x)]


def _is_float(x: Any) -> bool:
    return jnp.issubdtype(x.dtype, jnp.floating)


def _size(array: np.ndarray) -> float:
    return float(np.abs(array).max(initial=0))


def _error(hand: np.ndarray, right: np.ndarray, least: float) -> float:
    """The largest difference, relative to the largest entry, or to `least` where that is more."""
    difference = _size(hand - right)
    return difference if difference == 0 else difference / max(_size(right), least, 1e-300)


def _nearest_to_bound(
    hand: np.ndarray, right: np.ndarray, rounding: np.ndarray
) -> tuple[float, float]:
    """Error and bound of the entry whose error is the largest part of its bound; NaN is."""
    differences = np.abs(hand.astype(np.float64) - right).reshape(-1)
    bounds = SAFETY * float(np.finfo(np.float32).eps) / 2 * rounding.reshape(-1)
    parts = np.where(differences == 0, 0, differences / np.maximum(bounds, 1e-300))
    if not parts.size:
        return 0.0, 0.0
    worst, scale = int(np.argmax(parts)), _size(right) or 1.0
    with np.errstate(invalid="ignore"):  # the reference may be infinite
        return float(differences[worst] / scale), float(bounds[worst] / scale)


def _differences(
    f: Callable[..., jax.Array], inputs: list[jax.Array], which: int, back: jax.Array
) -> jax.Array:
    """`sum_o back_o (f_o(x + h) - f_o(x - h)) / 2h` for each coordinate x of one input.

    `h = u^(1/3)`, where the error of the formula, h^2, is as large as that of rounding, u / h.
    Differences are taken of each output by itself: those that do not move add no rounding.
    """
    x = inputs[which]
    h = float(np.cbrt(np.finfo(np.float64).eps)) * jnp.maximum(1, jnp.abs(x).reshape(-1))
    steps = jnp.diag(h).reshape(-1, *x.shape)

    def difference(step: jax.Array) -> jax.Array:
        up, down = ([*inputs[:which], x + s, *inputs[which + 1 :]] for s in (step, -step))
        return jnp.sum(back * (f(*up) - f(*down)))

    return (jax.vmap(difference)(steps) / (2 * h)).reshape(x.shape)
