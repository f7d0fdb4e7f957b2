"""What a check found, and the table that shows it."""

import textwrap
from typing import NamedTuple


class LeafReport(NamedTuple):
    """What the check found for the gradient by one leaf of the inputs.

    Both errors are `max |a - b| / max(max |a|, max |b|)` and at most 2, however small the gradient:
    2 is a wrong sign, 1 a gradient that is missing. Only a difference that rounding explains is
    relative to what was rounded, if that is larger: up to 1e-13 of the largest dE/d(output), and
    for differences also up to 1e-9 of dE/d(output) times output.

    Attributes:
        name: which, like `inputs[1]['kernel']`.
        shape: of the leaf.
        autodiff: error of the gradient by hand, beside automatic differentiation.
        differences: error along directions, beside central differences; None where there is no
            derivative. Of more than 32 entries, 32 groups move, with a random sign for each entry.
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


def _fit(text: str, width: int) -> str:
    return f"{text:<{width}}" if len(text) <= width else f"{text[: width - 3]}..."
