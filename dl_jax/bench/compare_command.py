"""`dl-jax compare`: the table in the console, and the page with its plot."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from string import ascii_uppercase

from dl_jax.bench.compare import Comparison, Match, Ratio, compare_columns
from dl_jax.bench.compare_peers import TITLE, compare_peers
from dl_jax.bench.console import heading, variant
from dl_jax.bench.record import Row
from dl_jax.bench.record_file import read_record
from dl_jax.bench.same_work import Column
from dl_jax.report import units
from dl_jax.report.page_folder import page_folder
from dl_jax.report.table import format_table

HEADER = ("", "Step [quartiles]", "Examples/s", "Build", "Memory", "Times as fast [spread]", "")


def run(options: argparse.Namespace) -> int:
    """Print what the benchmarks have in common, side by side.

    Returns:
        0; 1 where rows that might be taken for the same work were not compared.

    Raises:
        ValueError: for a file that is no benchmark, or if nothing can be compared.
        OSError: for a file that cannot be read, or a page that cannot be written.
    """
    columns = columns_of([Path(path).expanduser() for path in options.files])
    comparison = compare_columns(columns)
    folder = page_folder(options.page, "compare")
    print(as_text(comparison))
    if folder:
        from dl_jax.bench.page import write_compare_page

        print(f"Page: {write_compare_page(folder, comparison)}", file=sys.stderr)
    return 1 if comparison.refused else 0


def columns_of(paths: Sequence[Path]) -> list[Column]:
    """Return a column for each device of each file, named by what tells them apart.

    Raises:
        ValueError: for a file that is no benchmark.
        OSError: for a file that cannot be read.
    """
    records = [read_record(path) for path in paths]
    stems = [path.stem for path in paths]
    names = stems if len(set(stems)) == len(stems) else [str(path) for path in paths]
    return [
        Column(name if len(record["devices"]) == 1 else f"{name} {device['name']}", record,
               device["name"])
        for name, record in zip(names, records, strict=True)
        for device in record["devices"]
    ]  # fmt: skip


def as_text(comparison: Comparison) -> str:
    """Return the comparison as plain text.

    It has 100 columns, but for names that are longer, and peers of more than three benchmarks.
    """
    numbers = map(str, range(len(ascii_uppercase) + 1, len(comparison.columns) + 1))
    letters = [*ascii_uppercase, *numbers][: len(comparison.columns)]
    lines = [
        f"{letter}  {column.name}: {machine(column)}"
        for letter, column in zip(letters, comparison.columns, strict=True)
    ]
    rows: list[list[str]] = []
    for match in comparison.matches:
        rows.append([title(match)])
        rows += [
            [f"  {letter}", *cells(row, ratio)]
            for letter, row, ratio in zip(letters, match.rows, match.ratios, strict=True)
            if row is not None
        ]
    lines += ["", format_table(HEADER, rows, numbers=range(1, 6))]
    lines.append(
        f"Times as fast as {letters[0]}: quotients of the medians; the spread is that of the "
        "quartiles of both."
    )
    lines += _peers(comparison, letters)
    if comparison.refused:
        lines += ["", "Not compared, for it is other work:", *comparison.refused]
    if comparison.alone:
        lines += ["", "Only in one:", *comparison.alone]
    return "\n".join(lines)


def _peers(comparison: Comparison, names: Sequence[str]) -> list[str]:
    peers = compare_peers(comparison, names)
    rows = []
    for trained, cells in peers.tables.items():
        rows += [[trained], *([f"  {name}", *ratios] for name, *ratios in cells)]
    if not rows:
        return ["", *peers.remarks] if peers.remarks else []
    numbers = range(1, len(peers.header))
    table = format_table(peers.header, rows, numbers=numbers)
    return ["", TITLE, table, *peers.remarks]


def title(match: Match) -> str:
    """Return what was done, without the device."""
    row = next(row for row in match.rows if row is not None)
    work, _, _ = heading(row).rpartition(f", {row['device']}")
    return f"{variant(row)}: {work}"


def machine(column: Column) -> str:
    """Return hardware and versions of a column, with the commit where its record has one."""
    found = column.record["environment"]
    device = next(d for d in column.record["devices"] if d["name"] == column.device)
    kind = found["cpu"] if device["platform"] == "cpu" else device["kind"]
    packages = found["packages"]
    versions = ", ".join(
        f"{name} {packages[name]}" for name in ("jax", "dl-jax") if name in packages
    )
    commit = f", commit {found['commit']}" if found.get("commit") else ""
    return f"{kind}, {found['cores']} cores, {column.device}; {versions}{commit}"


def cells(row: Row, ratio: Ratio | None) -> list[str]:
    """Return the cells of one column's row."""
    stages, rates, memory = row["stages"], row["rates"], row["memory"]
    made = [stages[key] for key in ("trace", "lower", "compile")] if stages else []
    build = sum(part for part in made if part is not None) if any(made) else None
    return [
        units.timing(row["step"]) + (" ?" if row["noisy"] else "  "),
        units.count(rates["examples_per_second"] if rates else None),
        units.seconds(build),
        units.count(memory["bytes"] if memory else None),
        "1" if ratio is None else units.ratio(
            {"median": ratio.median, "q1": ratio.low, "q3": ratio.high}
        ),
        "" if ratio is None else ratio.verdict,
    ]  # fmt: skip
