"""Which rows of two benchmarks did the same work, and why the others did not."""

import math
from typing import NamedTuple

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


class Pair(NamedTuple):
    """Rows of one column beside those of another.

    Attributes:
        found: for each row of the first column that of the other one, or None.
        refused: why rows of one workload and variant did other work, a line each.
        alone: rows that only one of the two has, a line each.
    """

    found: list[Row | None]
    refused: list[str]
    alone: list[str]


def pair_rows(first: Column, other: Column) -> Pair:
    """Find for each row of the first column the one of the other that did the same work."""
    base, left = timed_rows(first), timed_rows(other)
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
    return Pair(found, refused, alone)


def timed_rows(column: Column) -> list[Row]:
    """Return the rows of a column that have times."""
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
    pairs.append(("precision of matrix products", one, two))
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
