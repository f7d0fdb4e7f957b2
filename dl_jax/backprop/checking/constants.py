"""What a constant factor may come from, in words."""

import math
from fractions import Fraction

from dl_jax.backprop.checking.transformations import axes_text, subsets
from dl_jax.backprop.checking.tries import Try

LARGEST_WHOLE = 1000
"""Constant factors are named as fractions of whole numbers up to this."""
NEAR_ONE = 1e-4
"""A factor that is this close to 1 is written with more digits."""
OTHER_CONSTANT = "a constant factor, as the 2 of a square"
MOST_AXES_NAMED = 3
"""Where many axes have the size of a factor, so many are named."""


def constant_text(factor: float, k: int, names: list[str], t: Try) -> str:
    """Return what a gradient is that is a constant times the right one, and ask where it is from.

    A size is only a hint: dropout without its 1 / (1 - rate) looks like a mean over as many, and
    so does the 3 of a cube. Axes are named that the derivation sums over, as far as shapes tell.

    Args:
        factor: the gradient by hand over the right one.
        k: which input.
        names: of the inputs.
        t: a try, for the shapes.
    """
    if factor == -1:
        return "the sign is wrong: -1 times what it should be"
    if abs(factor - 1) < NEAR_ONE:
        return f"{factor:.10g} times what it should be: a shortened constant, or an epsilon?"
    text = f"{fraction_text(factor)} times what it should be"
    whole = Fraction(abs(factor)).limit_denominator(LARGEST_WHOLE)
    size = max(whole.numerator, whole.denominator)
    if whole not in (size, Fraction(1, size)) or size == 1 or float(whole) != abs(factor):
        return text + _root_text(abs(factor))
    places = _axes_of_size(size, k, names, t)
    if not places:
        return f"{text}: {OTHER_CONSTANT}?"
    where = " or ".join(places[:MOST_AXES_NAMED]) + (", ..." * (len(places) > MOST_AXES_NAMED))
    wrong, right = ("a sum", "a mean") if whole == size else ("a mean", "a sum")
    return f"{text}: {wrong} over {where} (n = {size}) for {right}, or {OTHER_CONSTANT}?"


def fraction_text(factor: float) -> str:
    """Return `1/4` or `-3`; six digits if it is no such fraction."""
    near = Fraction(factor).limit_denominator(LARGEST_WHOLE)
    simple = min(abs(near.numerator), near.denominator) <= 10
    return str(near) if simple and float(near) == factor else f"{factor:.6g}"


def _root_text(factor: float) -> str:
    """A name for sqrt(3), as of an attention; nothing for what is no root."""
    square = Fraction(factor**2).limit_denominator(LARGEST_WHOLE)
    if min(square.numerator, square.denominator) != 1 or square == 1:
        return ""
    if abs(float(square) - factor**2) > 1e-9 * factor**2:
        return ""
    root = f"sqrt({square})" if square > 1 else f"1 / sqrt({square.denominator})"
    return f": {root}, as of a standard deviation or a scaled product?"


def _axes_of_size(n: int, k: int, names: list[str], t: Try) -> list[str]:
    """Axes with n entries together that are summed over, in words.

    What only one side has is summed over: of the output on the way back, of this input on the way
    forward. Another input's axes say nothing of this gradient.
    """
    gradient = t.right[k].shape
    arrays = [
        *((name, d.shape, [gradient])
          for name, d in zip(t.point.output_names, t.d_outputs, strict=True)),
        (names[k], gradient, [d.shape for d in t.d_outputs]),
    ]  # fmt: skip
    found: list[tuple[tuple[int, ...], str]] = []
    for name, shape, others in arrays:
        for axes in subsets([axis for axis, size in enumerate(shape) if size > 1]):
            sizes = [shape[axis] for axis in axes]
            if math.prod(sizes) == n and all(_lacks(other, shape, sizes) for other in others):
                found.append((axes, name))
    found.sort(key=lambda x: len(x[0]))
    return [f"{axes_text(axes)} of {name}" for axes, name in found]


def _lacks(other: tuple[int, ...], shape: tuple[int, ...], sizes: list[int]) -> bool:
    """Whether another shape has fewer axes of each of these sizes, in a square, say."""
    return all(shape.count(n) - other.count(n) >= sizes.count(n) for n in sizes)
