"""Peers of several benchmarks side by side: how long each took beside dl_jax, here and there."""

from collections.abc import Sequence
from typing import NamedTuple

from dl_jax.bench.compare import Comparison
from dl_jax.bench.peer_table import PeerRow, has_ratio, heading, ratio_cell

TITLE = "Peers: time of the peer / time of dl_jax beside it [quartiles]; ? too noisy to call"


class Peers(NamedTuple):
    """The peers of a comparison, as the cells of tables.

    Attributes:
        header: of every table: the names of the columns whose records have peers.
        tables: for what was trained, a row for each peer: its name, and its ratio in each column.
        remarks: whose peers are left out, and which are of other versions, a line each.
    """

    header: tuple[str, ...]
    tables: dict[str, list[list[str]]]
    remarks: list[str]


def compare_peers(comparison: Comparison, names: Sequence[str]) -> Peers:
    """Set the ratios of the peers side by side, of all columns that did work of the first.

    A ratio is of the same minutes on the same machine, so that ratios may be compared where times
    may not. Peers choose their device themselves, so that a record of several devices has one set.

    Args:
        comparison: of the rows; columns that share none trained on other data, or otherwise.
        names: what to call its columns.
    """
    shown: list[tuple[str, list[PeerRow]]] = []
    remarks, seen = [], []
    for i, (name, column) in enumerate(zip(names, comparison.columns, strict=True)):
        record = column.record
        if not record["peers"] or any(record is other for other in seen):
            continue
        if any(match.rows[i] for match in comparison.matches):
            seen.append(record)
            shown.append((name, list(filter(has_ratio, record["peers"]))))
        else:
            remarks.append(f"The peers of {name} are left out, for its rows did other work.")
    header = ("", *(name for name, _ in shown))
    if len(shown) < 2:
        return Peers(header, {}, remarks + [f"Only {name} has peers." for name, _ in shown])
    found = [{(heading(row), row["peer"]): row for row in rows} for _, rows in shown]
    tables: dict[str, list[list[str]]] = {}
    for trained, peer in dict.fromkeys(key for rows in found for key in rows):
        ratios = [rows.get((trained, peer)) for rows in found]
        cells = [ratio_cell(row) if row else "-  " for row in ratios]
        tables.setdefault(trained, []).append([peer, *cells])
    return Peers(header, tables, remarks + _versions(shown))


def _versions(shown: Sequence[tuple[str, list[PeerRow]]]) -> list[str]:
    """Which peers are not of the same version in all columns that have them."""
    versions: dict[str, dict[str, str]] = {}
    for name, rows in shown:
        for row in rows:
            versions.setdefault(row["peer"], {})[name] = row["version"]
    return [
        f"{peer}: {', '.join(f'{version} in {name}' for name, version in of.items())}"
        for peer, of in versions.items()
        if len(set(of.values())) > 1
    ]
