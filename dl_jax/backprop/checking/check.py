"""A check of anybody's hand derivation, with a diagnosis where it is wrong."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from dl_jax.backprop.checking.derivation import evaluate, outputs_at
from dl_jax.backprop.checking.diagnosis import diagnose
from dl_jax.backprop.checking.differences import Differences, differences
from dl_jax.backprop.checking.errors import largest
from dl_jax.backprop.checking.inputs import Inputs, read_inputs
from dl_jax.backprop.checking.report import LeafReport, Report
from dl_jax.backprop.checking.requirements import check_finite, check_linear
from dl_jax.backprop.checking.tries import (
    Try,
    tries_beside,
    tries_elsewhere,
    try_once,
)
from dl_jax.backprop.pair import Pair

NUM_TRIES = 3
"""Gradients that go back, at the inputs."""
LENIENT_AUTODIFF_BOUND = 1e-9
"""Relative error in float64; a mistake makes much more.

The proof's bound is 1e-12, but the proof chooses its rules and inputs. Here they are anybody's: of
a deep network or at badly scaled inputs, where roundings of 1e-16 grow on the way.
"""
LENIENT_DIFFERENCES_BOUND = 1e-6
"""Relative error in float64 of differences; the proof's is 1e-7, for the same reason."""
MOST_KINKS = 256
"""Entries that are not as automatic differentiation, of which each is looked at for a kink."""


def check(
    forward: Callable[..., tuple[Any, Any]],
    backward: Callable[..., tuple[Any, ...]],
    *example_inputs: Any,
) -> Report:
    """Check a hand derivation, `dE/d(input) = sum_o dE/d(output_o) d(output_o)/d(input)`.

    Everything is evaluated in float64, whatever the configuration, for several random
    `dE/d(output)`. The gradient by hand is compared with automatic differentiation of `forward`,
    and with its central differences, which also notice a derivative that `forward` brings itself
    and a kink. For a wrong gradient, what may have happened to it is tried, from a wrong sign to a
    local derivative that is missing before a product.

    ```python
    report = check(sigmoid_fwd, lambda y, d_y: (y * d_y,), jnp.ones((2, 3)))
    print(report)
    assert report.passed
    ```

    Args:
        forward: `forward(*inputs) -> (output, residuals)`, in the protocol of `jax.custom_vjp`.
        backward: `backward(residuals, d_output) -> d_inputs`, a tuple with a gradient an input, of
            the input's tree; None for what has no derivative, as integers and keys.
        *example_inputs: trees of arrays. Different values show more than equal ones, zeros, ones;
            small arrays are enough, and a wrong gradient of large ones takes seconds to explain.
            Automatic differentiation is compared entry by entry, however many there are;
            differences by entry up to 32 entries, and by 32 groups of entries for more.

    Returns:
        A report; a gradient that is wrong is no error.

    Raises:
        TypeError: if forward returns no pair, backward no tuple, or one of them a dtype that does
            not follow from float64 inputs.
        ValueError: if there is nothing to differentiate, or an array is empty or complex; gradients
            are too few, too many, missing or of wrong shapes; NaN or infinity occurs; backward
            isn't linear in d_output.
    """
    pair, rng = Pair(forward, backward), np.random.default_rng(0)
    with jax.enable_x64(True), jax.default_matmul_precision("highest"):
        inputs = read_inputs(example_inputs)
        point = evaluate(pair, inputs, inputs.arrays)
        tries = [try_once(point, inputs, rng) for _ in range(NUM_TRIES)]
        check_finite(inputs, tries)
        check_linear(inputs, tries)
        beside = tries_beside(pair, inputs, rng)
        elsewhere = functools.cache(lambda: tries_elsewhere(pair, inputs, rng))
        leaves = []
        for k in range(len(inputs.names)):

            def slopes(only: np.ndarray | None = None, k: int = k) -> Differences:
                return differences(lambda x: outputs_at(pair, inputs, x), inputs.arrays, k, only)

            leaves.append(_leaf(k, inputs, tries, beside, slopes, elsewhere))
    return Report(tuple(leaves))


def _leaf(
    k: int,
    inputs: Inputs,
    tries: list[Try],
    beside: list[Try],
    slopes_of: Callable[..., Differences],
    elsewhere: Callable[[], list[Try]],
) -> LeafReport:
    name, shape, slopes = inputs.names[k], inputs.arrays[k].shape, slopes_of()
    autodiff = max(t.error(k) for t in tries)
    kinks = np.any([slopes.kinks(t.d_outputs) for t in tries], 0)
    errors = np.stack([slopes.error(t.right[k], t.d_outputs, t.others()) for t in tries])
    unsure = np.any([slopes.unsure(t.right[k], t.d_outputs) for t in tries], 0)
    unsure &= ~kinks & ~(errors.max(0) <= LENIENT_DIFFERENCES_BOUND)  # NaN is beyond it, too
    tell = ~kinks & ~unsure
    by_hand = max(
        slopes.error(t.hand[k], t.d_outputs, t.others())[tell].max(initial=0) for t in tries
    )
    by_autodiff = errors[:, tell].max(initial=0)
    far = float(by_hand) if tell.any() else None
    same = autodiff <= LENIENT_AUTODIFF_BOUND
    other_kinks = None if same or not kinks.any() else _right_at_kinks(k, tries, slopes_of)
    if other_kinks is not None:
        autodiff, same = max(t.error(k, other_kinks) for t in tries), True
    near = far is None or far <= LENIENT_DIFFERENCES_BOUND
    diagnosis = None
    if not by_autodiff <= LENIENT_DIFFERENCES_BOUND:
        diagnosis = _own_derivative(same, near)
    elif other_kinks is not None and near:
        diagnosis = (
            f"a kink, as of ReLU at 0, at {other_kinks.sum()} of {other_kinks.size} entries: "
            "between the slopes on both sides, as may be, not as automatic differentiation takes it"
        )
    elif kinks.any() and near and (same or not kinks.all()):
        diagnosis = _kink(same, int(kinks.sum()))
    elif unsure.any() and same:
        diagnosis = (
            f"differences step out of where forward is defined, or bends fast, along {unsure.sum()}"
            f" of {unsure.size} directions; move the inputs"
        )
    elif not same:
        diagnosis = diagnose(k, inputs.names, tries, beside, elsewhere)
    elif beside and max(t.error(k) for t in beside) > LENIENT_AUTODIFF_BOUND:
        diagnosis = (
            "right here, not at inputs beside these: equal values, zeros or ones may hide a "
            "mistake, or it holds for such values only, as one-hot rows"
        )
    return LeafReport(name, shape, autodiff, far, same and near, diagnosis)


def _right_at_kinks(
    k: int, tries: list[Try], slopes_of: Callable[..., Differences]
) -> np.ndarray | None:
    """The entries that are not as automatic differentiation, if each is a slope at a kink."""
    other = np.zeros(tries[0].right[k].shape, bool)
    for t in tries:
        bound = LENIENT_AUTODIFF_BOUND * largest([t.hand[k], t.right[k]])
        other |= np.abs(t.hand[k] - t.right[k]) > bound
    if not 0 < other.sum() <= MOST_KINKS:
        return None
    slopes = slopes_of(other)
    kinks = np.any([slopes.kinks(t.d_outputs) for t in tries], 0)
    between = np.all([slopes.between(t.hand[k], t.d_outputs) for t in tries], 0)
    return other if np.all(kinks & between) else None


def _own_derivative(same: bool, near: bool) -> str:
    if near:
        return (
            "right by differences, not by automatic differentiation: forward brings a wrong "
            "derivative of its own (custom_vjp, custom_jvp, stop_gradient)"
        )
    both = "agrees with automatic differentiation, but differences" if same else "differences"
    return (
        f"{both} give another derivative: forward brings one of its own (custom_vjp, custom_jvp, "
        "stop_gradient), or is not smooth near these inputs"
    )


def _kink(same: bool, count: int) -> str:
    text = f"no derivative along {count} of the directions tried, a kink, as of ReLU at 0: "
    if same:
        return f"{text}taken as automatic differentiation does"
    return f"{text}right elsewhere, there not as automatic differentiation; move the inputs"
