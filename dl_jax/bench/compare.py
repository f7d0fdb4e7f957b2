"""Benchmarks side by side: how many times as fast each is as the first, row by row."""

from collections.abc import Sequence
from typing import NamedTuple

from dl_jax.bench.clock import Timing
from dl_jax.bench.record import Row
from dl_jax.bench.same_work import Column, pair_rows, timed_rows


class Ratio(NamedTuple):
    """How many times as fast as the first column: seconds there / seconds here.

    The bounds are the least and the greatest quotient of the quartiles of both.

    Attributes:
        median: of the medians.
        low: the first's lower quartile / this one's upper.
        high: the first's upper quartile / this one's lower.
        noisy: whether one of the two is too noisy to call.
    """

    median: float
    low: float
    high: float
    noisy: bool

    @property
    def verdict(self) -> str:
        """Say `faster` or `slower`, `same` where the spread has 1 in it, or `noisy`."""
        if self.noisy:
            return "noisy"
        return "faster" if self.low > 1 else "slower" if self.high < 1 else "same"


class Match(NamedTuple):
    """The same work in several columns: a row or None for each, and the ratio to the first."""

    rows: list[Row | None]
    ratios: list[Ratio | None]


class Comparison(NamedTuple):
    """What came of it.

    Attributes:
        columns: what was compared; all ratios are to the first.
        matches: rows of the same work.
        refused: why rows of one workload and variant are not compared, a line each.
        alone: rows that only one column has, a line each.
    """

    columns: list[Column]
    matches: list[Match]
    refused: list[str]
    alone: list[str]


def compare_columns(columns: Sequence[Column]) -> Comparison:
    """Compare every column with the first.

    Raises:
        ValueError: with fewer than two columns, or if no row of any other column did the work of
            a row of the first; says why for each.
    """
    if len(columns) < 2:
        raise ValueError(
            f"expected two benchmarks or more, or one of several devices, got {len(columns)}"
        )
    first, *others = columns
    pairs = [pair_rows(first, other) for other in others]
    refused = [line for pair in pairs for line in pair.refused]
    alone = [line for pair in pairs for line in pair.alone]
    matches = [
        _match(row, found)
        for row, *found in zip(timed_rows(first), *(pair.found for pair in pairs), strict=True)
        if any(found)
    ]
    if not matches:
        reasons = "\n".join(f"  {line}" for line in [*refused, *alone]) or "  there are no rows"
        raise ValueError(f"no row did the same work in both\n{reasons}")
    return Comparison(list(columns), matches, refused, alone)


def _match(base: Row, others: Sequence[Row | None]) -> Match:
    return Match([base, *others], [None, *(row and _ratio(base, row) for row in others)])


def _ratio(base: Row, row: Row) -> Ratio:
    before, now = base["step"], row["step"]
    assert before is not None
    assert now is not None
    noisy = bool(base["noisy"] or row["noisy"])
    return Ratio(*_quotients(before, now), noisy=noisy)


def _quotients(before: Timing, now: Timing) -> tuple[float, float, float]:
    return (
        before["median"] / now["median"],
        before["q1"] / now["q3"],
        before["q3"] / now["q1"],
    )
