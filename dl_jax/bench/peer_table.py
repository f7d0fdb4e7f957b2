"""The peers' rows as a table: what they took, what this project took beside them, the ratio."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from textwrap import wrap
from typing import Any

from dl_jax.bench.clock import is_noisy
from dl_jax.report import units
from dl_jax.report.table import format_table

HEADER = ("", "dl_jax", "Peer", "Peer / dl_jax", "n")
TITLE = "Peers: the lecture's settings, float32; above 1, dl_jax is faster; ? too noisy to call"
_WIDTH = 100

PeerRow = Mapping[str, Any]


def has_ratio(row: PeerRow) -> bool:
    """Say whether a peer was measured."""
    return row["ratio"] is not None


def cells(row: PeerRow) -> list[str]:
    """Return the cells of a peer that was measured."""
    return [
        row["peer"],
        units.timing(row["ours_seconds"]),
        units.timing(row["seconds"]),
        ratio_cell(row),
        str(row["ratio"]["n"]),
    ]


def ratio_cell(row: PeerRow) -> str:
    """Return the ratio of a peer that was measured, with a mark if it is too noisy to call."""
    return units.ratio(row["ratio"]) + (" ?" if is_noisy(row["ratio"]) else "  ")


def heading(row: PeerRow) -> str:
    """Return what was trained and for how long."""
    return f"{row['workload']}, {'an' if row['unit'] == 'epoch' else 'a'} {row['unit']}"


def groups(peers: Iterable[PeerRow]) -> Iterator[tuple[str, list[PeerRow]]]:
    """Yield the rows of each workload, under their heading."""
    for title, rows in groupby(peers, heading):
        yield title, list(rows)


def fastest(peers: Iterable[PeerRow]) -> list[str]:
    """Return a line for each workload: of each framework the one that comes closest."""
    best: dict[str, dict[str, PeerRow]] = {}
    for row in filter(has_ratio, peers):
        frameworks, framework = best.setdefault(row["workload"], {}), row["peer"].split("_")[0]
        so_far = frameworks.get(framework, row)
        frameworks[framework] = min(so_far, row, key=lambda row: row["ratio"]["median"])
    return [
        f"{workload}, the fastest of each framework: "
        + ", ".join(f"{row['peer']} {row['ratio']['median']:.2f}" for row in rows.values())
        for workload, rows in best.items()
    ]


def remarks(peers: Iterable[PeerRow]) -> list[str]:
    """Return what is to be said of peers: versions and settings, and why some have no ratio."""
    lines = []
    for row in peers:
        if row["missing"]:
            lines.append(f"{row['workload']}, {row['peer']}: left out, {row['missing']}")
        elif not has_ratio(row):
            lines.append(f"{row['workload']}, {row['peer']}: not compared, {row['note']}")
        elif said := "; ".join(filter(None, (row["version"], row["note"]))):
            lines.append(f"{row['peer']}: {said}")
    return list(dict.fromkeys(lines))


def as_lines(peers: Sequence[PeerRow]) -> list[str]:
    """Return the table and the remarks as plain text, within 100 columns."""
    body: list[list[str]] = []
    for title, rows in groups(peers):
        body.append([title])
        for row in filter(has_ratio, rows):
            name, *rest = cells(row)
            body.append([f"  {name}", *rest])
    said = [
        line
        for one in fastest(peers) + remarks(peers)
        for line in wrap(one, _WIDTH, subsequent_indent="  ")
    ]
    return [TITLE, format_table(HEADER, body, numbers=range(1, 5)), *said]
