"""The proof of a hand derivation: against automatic differentiation, and against differences."""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np

from dl_jax.backprop.proof.case import Case

Precision = Literal["float64", "float32"]
AUTODIFF_BOUND = 1e-12
"""Relative error in float64: a few thousand roundings of 1.1e-16."""
DIFFERENCES_BOUND = 1e-7
"""Relative error in float64 of central differences, whose own error is about 1e-10."""


class Leaf(NamedTuple):
    """The proof of the gradient by one input, or of the output (`name` is `"output"`).

    Attributes:
        name: which input.
        shape: of the input.
        autodiff: largest difference from automatic differentiation, relative to `scale`.
        differences: largest difference from central differences over every coordinate, relative
            to the gradient's largest entry; None where no derivative exists or in float32.
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

    In float64 an error is relative to the largest entry of its array. In float32 the hand
    derivation is compared with the float64 reference. Each entry of a gradient is a sum
    `sum_o J_oi dE/do`, of which float32 gets each term to a few units of rounding u and the sum
    to one u a term, so its error is at most `4 (L + 8) u S` with L the length of the longest sum
    of the rule and `S = max_i sum_o |J_oi| |dE/do|`; errors are relative to S.

    Products are made in full precision: an accelerator's faster ones have fewer digits.

    Args:
        case: rule, reference and inputs.
        precision: of the hand derivation.
        seed: of the gradient that goes back.
    """
    with jax.enable_x64(True), jax.default_matmul_precision("highest"):
        exact = tuple(jnp.asarray(x) for x in case.inputs)
        moves = [i for i, x in enumerate(exact) if jnp.issubdtype(x.dtype, jnp.floating)]
        found = _compiled(_evaluate, case, moves, precision)(exact, jax.random.key(seed))
    output, by_hand, expected, right, sums, central = jax.tree.map(np.asarray, found)
    chex.assert_trees_all_equal_shapes(by_hand, right)
    chex.assert_type([output, *by_hand], np.dtype(precision))

    arrays = zip(["output", *(f"input {i}" for i in moves)], [output, *by_hand], strict=True)
    leaves = []
    for k, (name, hand) in enumerate(arrays):
        true = [expected, *right][k]
        scale, bound = _size(true), AUTODIFF_BOUND
        if precision == "float32":
            unit = float(np.finfo(np.float32).eps) / 2
            scale, bound = _size([expected, *sums][k]), 4 * (case.length + 8) * unit
        differences = None
        if k and precision == "float64" and case.smooth:
            differences = _error(hand, central[k - 1], _size(central[k - 1]))
        leaves.append(Leaf(name, true.shape, _error(hand, true, scale), differences, bound))
    return leaves


def _compiled(function: Callable[..., Any], *args: Any) -> Callable[..., Any]:
    """Compiled without optimisation on a CPU: small programs that run once."""
    options = {"xla_backend_optimization_level": 0} if jax.default_backend() == "cpu" else None
    return jax.jit(partial(function, *args), compiler_options=options)


def _evaluate(
    case: Case, moves: list[int], precision: Precision, exact: tuple, key: jax.Array
) -> tuple:
    """Output and gradients by hand, by autodiff, the sums of its terms, central differences."""

    def placed(moving):
        found = dict(zip(moves, moving, strict=True))
        return [found.get(i, x) for i, x in enumerate(exact)]

    def reference(*moving):
        return case.reference(*placed(moving))

    moving = [exact[i] for i in moves]
    expected, pull = jax.vjp(reference, *moving)
    back = jax.random.normal(key, expected.shape, jnp.float64)
    output, residuals = case.forward(*placed([x.astype(precision) for x in moving]))
    gradients = case.backward(residuals, back.astype(output.dtype))
    by_hand = [gradients[i] for i in moves]
    sums, central = [], []
    if precision == "float32":
        jacobian = jax.jacrev(reference, argnums=tuple(range(len(moving))))(*moving)
        sums = [jnp.tensordot(jnp.abs(back), jnp.abs(j), axes=back.ndim) for j in jacobian]
    elif case.smooth:
        central = [
            _differences(lambda *m: case.forward(*placed(m))[0], moving, k, back)
            for k in range(len(moving))
        ]
    return output, by_hand, expected, list(pull(back)), sums, central


def _size(array: np.ndarray) -> float:
    return float(np.abs(array).max(initial=0))


def _error(hand: np.ndarray, right: np.ndarray, scale: float) -> float:
    difference = _size(hand.astype(np.float64) - right)
    return difference if difference == 0 else difference / max(scale, 1e-300)


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
