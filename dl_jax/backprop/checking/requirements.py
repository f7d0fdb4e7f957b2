"""What a backward must be before it is compared: finite, and linear in d_output."""

import numpy as np

from dl_jax.backprop.checking.errors import AUTODIFF_ROUNDING, largest
from dl_jax.backprop.checking.inputs import Arrays, Inputs
from dl_jax.backprop.checking.tries import Try

LINEAR_BOUND = 1e-5
"""Relative error of linearity; wider, so that what is rounded on the way gets a diagnosis."""

SCALES = (2.0, 1e3, 1e-3)
"""Factors of d_output that must be factors of the gradient: large ones find a clip."""


def check_finite(inputs: Inputs, tries: list[Try]) -> None:
    """Look for what is not finite.

    Raises:
        ValueError: if a gradient has NaN or infinity; says who made it.
    """
    for k, name in enumerate(inputs.names):
        hand, right = np.stack([t.hand[k] for t in tries]), np.stack([t.right[k] for t in tries])
        if not np.isfinite(right).all():
            raise ValueError(
                f"automatic differentiation of forward gives NaN or infinity for {name}: there may "
                "be no derivative at the example inputs; give others"
            )
        wrong = (~np.isfinite(hand)).any(0).sum()
        if wrong:
            raise ValueError(
                f"backward made NaN or infinity: {wrong} of {right[0].size} entries of the "
                f"gradient of {name}, where the right one is finite"
            )


def check_linear(inputs: Inputs, tries: list[Try]) -> None:
    """Look whether `backward(a d + b e) = a backward(d) + b backward(e)`, as each gradient is.

    Raises:
        ValueError: if it is not; says what was tried.
    """
    point, one, two = tries[0].point, tries[0].d_outputs, tries[1].d_outputs

    def back(d_outputs: Arrays) -> Arrays:
        return tries[0].by_hand(point.residuals, d_outputs)

    at_zero, at_minus = back([0 * d for d in one]), back([-d for d in one])
    scaled = [back([s * d for d in one]) for s in SCALES]
    at_sum = back([a + b for a, b in zip(one, two, strict=True)])
    at_one = point.pull([np.ones_like(d) for d in one])
    for k, name in enumerate(inputs.names):
        a, b = tries[0].hand[k], tries[1].hand[k]
        bound = LINEAR_BOUND * largest([a, b, at_zero[k]])
        bound = max(bound, AUTODIFF_ROUNDING * max(t.terms() for t in tries[:2]))
        text = f"the gradient of {name} is not linear in d_output: "
        if not np.abs(at_zero[k]).max(initial=0) <= bound:
            text += "backward(0) is not 0; d_output is forgotten in it, or in a term of it"
            if np.allclose(at_zero[k], at_one[k], 1e-9, 0):
                text += "; it is right for d_output = 1: multiply by d_output"
            raise ValueError(text)
        for scale, found in zip(SCALES, scaled, strict=True):
            if not np.abs(found[k] - scale * a).max(initial=0) <= bound * max(scale, 1):
                raise ValueError(
                    f"{text}backward({scale:g} d) is not {scale:g} backward(d); d_output must be "
                    "a factor of each term, once, and isn't clipped"
                )
        if not np.abs(at_minus[k] + a).max(initial=0) <= bound:
            raise ValueError(f"{text}backward(-d) is not -backward(d): an absolute value?")
        if not np.abs(at_sum[k] - a - b).max(initial=0) <= bound:
            raise ValueError(f"{text}backward(d + e) is not backward(d) + backward(e)")
