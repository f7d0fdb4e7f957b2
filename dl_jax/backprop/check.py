"""A check of anybody's hand derivation, with a diagnosis where it is wrong."""

import textwrap
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from dl_jax.backprop.checking.derivation import evaluate, outputs_at
from dl_jax.backprop.checking.diagnosis import diagnose
from dl_jax.backprop.checking.differences import Differences, differences
from dl_jax.backprop.checking.inputs import Inputs, read_inputs
from dl_jax.backprop.checking.tries import Try, check_finite, check_linear, tries_beside, try_once
from dl_jax.backprop.pair import Pair

NUM_TRIES = 3
"""Gradients that go back, at the inputs."""
AUTODIFF_BOUND = 1e-9
"""Relative error in float64; roundings make 1e-16 each, a mistake much more."""
DIFFERENCES_BOUND = 1e-6
"""Relative error in float64 of differences, whose own error is 1e-10 to 1e-8."""
SMALLEST_SCALE = 1e-6
"""Of dE/d(output): a gradient below that is compared with this, since it may all be rounding."""


class LeafReport(NamedTuple):
    """What the check found for the gradient by one leaf of the inputs.

    Attributes:
        name: which, like `inputs[1]['kernel']`.
        shape: of the leaf.
        autodiff: largest difference from automatic differentiation, relative to the largest entry.
        differences: the same from central differences; None where there is no derivative.
        passed: whether both are small.
        diagnosis: what is wrong, or worth knowing; None if nothing is.
    """

    name: str
    shape: tuple[int, ...]
    autodiff: float
    differences: float | None
    passed: bool
    diagnosis: str | None


class Report(NamedTuple):
    """What the check found; `print(report)` shows it as a table.

    Attributes:
        leaves: one report for each floating leaf of the inputs.
    """

    leaves: tuple[LeafReport, ...]

    @property
    def passed(self) -> bool:
        """Whether all gradients are right."""
        return all(leaf.passed for leaf in self.leaves)

    def __str__(self) -> str:
        """Return a table, 80 columns wide."""
        right = sum(leaf.passed for leaf in self.leaves)
        lines = [f"{right} of {len(self.leaves)} gradients right", ""]
        lines.append(f"{'gradient by':<32} {'shape':<16} {'autodiff':>8} {'differences':>11}")
        for leaf in self.leaves:
            far = "none" if leaf.differences is None else f"{leaf.differences:.1e}"
            lines.append(
                f"{_fit(leaf.name, 32)} {_fit(str(leaf.shape), 16)} {leaf.autodiff:8.1e} {far:>11} "
                f"{'right' if leaf.passed else 'WRONG'}"
            )
            if leaf.diagnosis is not None:
                lines += textwrap.wrap(
                    leaf.diagnosis, 76, initial_indent="  ", subsequent_indent="  "
                )
        return "\n".join(lines)


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

    Returns:
        A report; a gradient that is wrong is no error.

    Raises:
        TypeError: if forward returns no pair, backward no tuple, or one of them a dtype that does
            not follow from float64 inputs.
        ValueError: if there is nothing to differentiate; gradients are too few, too many, missing
            or of wrong shapes; NaN or infinity occurs; backward isn't linear in d_output.
    """
    pair, rng = Pair(forward, backward), np.random.default_rng(0)
    with jax.enable_x64(True), jax.default_matmul_precision("highest"):
        inputs = read_inputs(example_inputs)
        point = evaluate(pair, inputs, inputs.arrays)
        tries = [try_once(point, inputs, rng) for _ in range(NUM_TRIES)]
        check_finite(inputs, tries)
        check_linear(point, inputs, tries)
        beside = tries_beside(pair, inputs, rng)
        leaves = []
        for k in range(len(inputs.names)):
            found = differences(lambda x: outputs_at(pair, inputs, x), inputs.arrays, k)
            leaves.append(_leaf(k, inputs, tries, beside, found))
    return Report(tuple(leaves))


def _leaf(
    k: int, inputs: Inputs, tries: list[Try], beside: list[Try], slopes: Differences
) -> LeafReport:
    name, shape = inputs.names[k], inputs.arrays[k].shape
    autodiff = max(_error(t, k) for t in tries)
    kinks = np.any([slopes.kinks(t.d_outputs) for t in tries], 0)
    by_hand = max(slopes.error(t.hand[k], t.d_outputs)[~kinks].max(initial=0) for t in tries)
    by_autodiff = max(slopes.error(t.right[k], t.d_outputs)[~kinks].max(initial=0) for t in tries)
    far = None if kinks.all() and kinks.size else float(by_hand)
    same, near = autodiff <= AUTODIFF_BOUND, far is None or far <= DIFFERENCES_BOUND
    diagnosis = None
    if not by_autodiff <= DIFFERENCES_BOUND:  # NaN is beyond it, too
        diagnosis = _own_derivative(same, near)
    elif kinks.any() and near and (same or not kinks.all()):
        diagnosis = _kink(same, int(kinks.sum()))
    elif not same:
        diagnosis = diagnose(k, inputs.names, tries, beside)
    elif beside and max(_error(t, k) for t in beside) > AUTODIFF_BOUND:
        diagnosis = (
            "right here, not at inputs beside these: equal values, zeros or ones may hide a "
            "mistake, or it holds for such values only, as one-hot rows"
        )
    return LeafReport(name, shape, autodiff, far, same and near, diagnosis)


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


def _error(t: Try, k: int) -> float:
    scale = SMALLEST_SCALE * max(float(np.abs(d).max(initial=0)) for d in t.d_outputs)
    scale = max(scale, float(np.abs(t.right[k]).max(initial=0)))
    return float(np.abs(t.hand[k] - t.right[k]).max(initial=0)) / max(scale, 1e-300)


def _fit(text: str, width: int) -> str:
    return f"{text:<{width}}" if len(text) <= width else f"{text[: width - 3]}..."
