"""Benchmarks side by side: only rows that did the same work, and the reasons for the others."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from dl_jax.bench.clock import Timing
from dl_jax.bench.console import is_timed, reason, variant
from dl_jax.bench.record import Record, Row

_WORK = {
    "batch_size": "batch size",
    "precision": "precision",
    "image_size": "image size",
    "members": "members of the ensemble",
    "num_epochs": "epochs of a run",
    "data": "data",
    "num_train": "training examples",
}
"""What must be equal in rows of one workload and variant, and what it is called."""


class Column(NamedTuple):
    """A record on one of its devices.

    Attributes:
        name: what it is called: its file's name, with the device where it has several.
        record: the whole record.
        device: the name of the device.
    """

    name: str
    record: Record
    device: str


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
    pairs = [_pair(first, other) for other in others]
    refused = [line for pair in pairs for line in pair.refused]
    alone = [line for pair in pairs for line in pair.alone]
    matches = [
        _match(row, found)
        for row, *found in zip(_rows(first), *(pair.found for pair in pairs), strict=True)
        if any(found)
    ]
    if not matches:
        reasons = "\n".join(f"  {line}" for line in [*refused, *alone]) or "  there are no rows"
        raise ValueError(f"no row did the same work in both\n{reasons}")
    return Comparison(list(columns), matches, refused, alone)


class _Pair(NamedTuple):
    """For each row of the first column that of another one; and what is to be said of the rest."""

    found: list[Row | None]
    refused: list[str]
    alone: list[str]


def _pair(first: Column, other: Column) -> _Pair:
    base, left = _rows(first), _rows(other)
    found: list[Row | None] = []
    for row in base:
        same = next((r for r in left if not _differences(first, row, other, r)), None)
        found.append(same)
        left = [r for r in left if r is not same]
    refused, alone = [], []
    unmatched = [row for row, same in zip(base, found, strict=True) if same is None]
    for row in unmatched:
        alike = [r for r in left if _kind(r) == _kind(row)]
        if alike:
            nearest = min((_differences(first, row, other, r) for r in alike), key=len)
            refused.append(f"{_name(row)}: {'; '.join(nearest)}")
        else:
            alone.append(f"{_name(row)}: only in {first.name}, {_absence(row, other)}")
    kinds = {_kind(row) for row in unmatched}
    alone += [
        f"{_name(row)}: only in {other.name}, {_absence(row, first)}"
        for row in left
        if _kind(row) not in kinds
    ]
    return _Pair(found, refused, alone)


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


def _rows(column: Column) -> list[Row]:
    """The rows of a column that have times."""
    rows = column.record["rows"]
    return [row for row in rows if row["device"] == column.device and is_timed(row)]


def _absence(row: Row, column: Column) -> str:
    """How a row is missing in a column: not there, or without times."""
    for found in column.record["rows"]:
        same = all(found[key] == row[key] for key in ("workload", "variant", *_WORK))
        if same and found["device"] == column.device and not is_timed(found):
            return f"in {column.name} {reason(found)}"
    return f"not in {column.name}"


def _kind(row: Row) -> tuple[str, str]:
    return row["workload"], row["variant"]


def _name(row: Row) -> str:
    return f"{row['workload']} {variant(row)}, batch {row['batch_size']}, {row['precision']}"


def _differences(first: Column, base: Row, other: Column, row: Row) -> list[str]:
    """Why two rows did not do the same work; nothing if they did."""
    if _kind(base) != _kind(row):
        return ["another workload or variant"]
    pairs: list[tuple[str, object, object]] = [
        (name, base[key], row[key]) for key, name in _WORK.items()
    ]
    pairs.append(("parameters", base["num_params"], row["num_params"]))
    one, two = (c.record["environment"].get("default_matmul_precision") for c in (first, other))
    pairs.append(("default matmul precision", one, two))
    found = [
        f"{name} {_value(one)} in {first.name}, {_value(two)} in {other.name}"
        for name, one, two in pairs
        if one != two
    ]
    if not found:  # or else what is above is the reason
        for key, name in (("flops", "FLOPs of a step"), ("bytes", "bytes of a step")):
            one, two = base["step_counted"][key], row["step_counted"][key]
            if one is None or two is None or not math.isclose(one, two, rel_tol=1e-6):
                found.append(f"{name} {_value(one)} in {first.name}, {_value(two)} in {other.name}")
    return found


def _value(value: object) -> str:
    if value is None:
        return "none"
    return f"{value:,.0f}" if isinstance(value, float) else str(value)
