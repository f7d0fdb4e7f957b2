"""What a constant factor may come from, in words."""

import math
from fractions import Fraction

from dl_jax.backprop.checking.transformations import axes_text, subsets
from dl_jax.backprop.checking.tries import Try

LARGEST_WHOLE = 1000
"""Constant factors are named as fractions of whole numbers up to this."""
MOST_AXES_NAMED = 3
"""Where many axes have the size of a factor, so many are named."""


def constant_text(factor: float, k: int, names: list[str], t: Try) -> str:
    """Return what a gradient is that is a constant times the right one, and ask where it is from.

    A size is only a hint: dropout without its 1 / (1 - rate) looks like a mean over as many. The
    axes that the derivation sums over come first, as far as shapes tell, and without one the text
    asks for another constant, too.

    Args:
        factor: the gradient by hand over the right one.
        k: which input.
        names: of the inputs.
        t: a try, for the shapes.
    """
    if factor == -1:
        return "the sign is wrong: -1 times what it should be"
    text = f"{fraction_text(factor)} times what it should be"
    whole = Fraction(abs(factor)).limit_denominator(LARGEST_WHOLE)
    size = max(whole.numerator, whole.denominator)
    if whole not in (size, Fraction(1, size)) or size == 1:
        return text
    places, reduced = _axes_of_size(size, k, names, t)
    if not places:
        return text
    where = " or ".join(places[:MOST_AXES_NAMED]) + (", ..." * (len(places) > MOST_AXES_NAMED))
    wrong, right = ("a sum", "a mean") if whole == size else ("a mean", "a sum")
    other = "" if reduced else ", or another constant"
    return f"{text}: {wrong} over {where} (n = {size}) for {right}{other}?"


def fraction_text(factor: float) -> str:
    """Return `1/4` or `-3`; six digits if it is no such fraction."""
    near = Fraction(factor).limit_denominator(LARGEST_WHOLE)
    simple = min(abs(near.numerator), near.denominator) <= 10
    return str(near) if simple and float(near) == factor else f"{factor:.6g}"


def _axes_of_size(n: int, k: int, names: list[str], t: Try) -> tuple[list[str], bool]:
    """Axes with n entries together, in words, and whether the first of them are summed over."""
    gradient, output = t.right[k].shape, t.d_outputs[0].shape
    arrays = [
        *((name, d.shape, gradient) for name, d in zip(
            t.point.output_names, t.d_outputs, strict=True)),
        *((name, x.shape, output if i == k else x.shape)
          for i, (name, x) in enumerate(zip(names, t.right, strict=True))),
    ]  # fmt: skip
    found: list[tuple[bool, bool, tuple[int, ...], str]] = []
    for name, shape, other in arrays:
        for axes in subsets([axis for axis, size in enumerate(shape) if size > 1]):
            if math.prod(shape[axis] for axis in axes) == n:
                # What only one side has is summed over: of the output on the way back, of this
                # input on the way forward. Another input's axes say nothing of this gradient.
                kept = any(shape[axis] in other for axis in axes)
                found.append((kept, len(axes) > 1, axes, name))
    found.sort(key=lambda x: x[:2])
    of: dict[tuple[int, ...], list[str]] = {}
    for _, _, axes, name in found:
        of.setdefault(axes, []).append(name)
    places = [f"{axes_text(axes)} of {' or '.join(each)}" for axes, each in of.items()]
    return places, bool(found) and not found[0][0]
