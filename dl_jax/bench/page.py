"""The pages of `dl-jax bench` and `dl-jax compare`, in the form of a run's page."""

from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from dl_jax.bench import console, peer_table, pictures
from dl_jax.bench.compare import Comparison
from dl_jax.bench.compare_peers import TITLE, compare_peers
from dl_jax.bench.record import Record, Row
from dl_jax.report import units
from dl_jax.report.markup import Html, element, figure, join, pairs, table
from dl_jax.report.page import write_html
from dl_jax.report.picture import Picture
from dl_jax.report.sections import flatten


class _Part(NamedTuple):
    """A section of tables: which of a row's cells, under which names."""

    title: str
    explained: str
    columns: Sequence[str]
    cells: Callable[[Row], Sequence[str]]


_PARTS = (
    _Part(
        "Steps",
        "A step is its share of a call: the median of n samples, with their quartiles; a ? stands "
        "by those that are too noisy to call. Dispatch is the time until a call returns.",
        ("Variant", "Dispatch", "Step [quartiles]", "n", "Examples/s"),
        lambda row: [console.times_cells(row)[k] for k in (0, 5, 6, 7, 8)],
    ),
    _Part(
        "Stages",
        "What happens once, from cold. The first run is of a whole epoch or run, where the variant "
        "makes one in a call.",
        ("Variant", "Trace", "Lower", "Compile", "First run"),
        lambda row: console.times_cells(row)[:5],
    ),
    _Part(
        "Work of a step",
        "FLOPs and bytes by formula, XLA’s count beside those of a single step; the side of the "
        "roofline’s ridge; peak memory.",
        ("Variant", "FLOPs", "XLA", "Bytes", "XLA", "FLOPs/byte", "Side", "Memory"),
        lambda row: [console.work_cells(row)[k] for k in (0, 1, 2, 3, 4, 9, 10, 11)],
    ),
    _Part(
        "Reached",
        "Shares are of the ceilings above.",
        ("Variant", "FLOP/s", "Share", "B/s", "Share"),
        lambda row: [console.work_cells(row)[k] for k in (0, 5, 6, 7, 8)],
    ),
)


def write_bench_page(folder: Path, record: Record, stopped: str = "interrupted") -> Path:
    """Write the plots of a benchmark and its page, and return the page's path.

    Args:
        folder: of the page.
        record: what was measured.
        stopped: what became of a benchmark that did not finish.
    """
    rows = record["rows"]
    timed = [row for row in rows if console.is_timed(row)]
    drawn = pictures.of_record(folder, record)
    content = join(
        _notice(f"This benchmark was {stopped}; the page shows what was finished by then.")
        if record["status"] == "interrupted"
        else None,
        _header("bench", "Benchmark", console.machine(record)),
        _section("Ceilings", _ceilings(record)),
        _pictures(drawn),
        *(_section(part.title, _tables(part, timed)) for part in _PARTS),
        _section("Not measured", _lines([f"{console.heading(row)}, {console.variant(row)}: "
                 f"{console.reason(row)}" for row in rows if not console.is_timed(row)])),
        _section("Peers", _peers(record["peers"])) if record["peers"] else None,
        _section("Environment", pairs(_environment(record))),
        _command(record["command"]),
    )  # fmt: skip
    return write_html(folder, "Benchmark", content)


def write_compare_page(folder: Path, comparison: Comparison) -> Path:
    """Write the plots of a comparison and its page, and return the page's path."""
    from dl_jax.bench.compare_command import cells, machine, title

    header = ("", "Step [quartiles]", "Build", "Times as fast [spread]", "Verdict")
    tables = []
    for match in comparison.matches:
        body = [
            [column.name, *(cells(row, ratio)[k] for k in (0, 2, 4, 5))]
            for column, row, ratio in zip(comparison.columns, match.rows, match.ratios, strict=True)
            if row is not None
        ]
        tables.append(table(title(match), header, body))
    first = comparison.columns[0].name
    content = join(
        _header(
            "compare", "Benchmarks compared", f"Times as fast as {first}; more than 1 is faster."
        ),
        _section("Machines", pairs([(c.name, machine(c)) for c in comparison.columns])),
        _pictures(pictures.of_comparison(folder, comparison)),
        _section("Rows", join(*tables)),
        _section("Peers", _peers_compared(comparison)),
        _section("Not compared, for it is other work", _lines(comparison.refused)),
        _section("Only in one", _lines(comparison.alone)),
    )
    return write_html(folder, "Benchmarks compared", content)


def _peers_compared(comparison: Comparison) -> Html | None:
    peers = compare_peers(comparison, [column.name for column in comparison.columns])
    tables = [table(title, peers.header, rows) for title, rows in peers.tables.items()]
    explained = element("p", TITLE.removeprefix("Peers: ")) if tables else None
    return join(explained, *tables, _lines(peers.remarks)) if tables or peers.remarks else None


def _header(eyebrow: str, title: str, lead: str) -> Html:
    return element(
        "header",
        element("p", eyebrow, class_="eyebrow"),
        element("h1", title),
        element("p", lead, class_="lead"),
    )


def _notice(text: str) -> Html:
    return element("div", element("p", text), class_="notice", role="note")


def _section(title: str, content: Html | None) -> Html | None:
    return element("section", element("h2", title), content) if content else None


def _lines(lines: Sequence[str]) -> Html | None:
    return join(*(element("p", line) for line in lines)) if lines else None


def _pictures(drawn: Sequence[Picture]) -> Html | None:
    return _section("Pictures", join(*map(figure, drawn))) if drawn else None


def _command(command: str) -> Html:
    line = element("pre", element("code", command), tabindex=0, aria_label="Command")
    return element("section", element("h2", "Repeat this benchmark"), line)


def _environment(record: Record) -> list[tuple[str, object]]:
    found = record["environment"]
    if found["default_matmul_precision"] == "default":  # twice the same word says nothing
        found = {**found, "default_matmul_precision": "JAX’s own"}
    return flatten(found)


def _ceilings(record: Record) -> Html | None:
    rows = []
    for device in record["devices"]:
        name = f"{device['name']} ({device['kind']})"
        for precision, ceiling in device["ceilings"]["matmul"].items():
            size = f"{ceiling['size']} × {ceiling['size']}"
            rate = units.count(ceiling["rate"], "FLOP/s")
            rows.append((name, f"matrix product in {precision}", size, rate))
        if copy := device["ceilings"]["copy"]:
            size = f"{copy['size'] >> 20} MiB"
            rows.append((name, "copy", size, units.count(copy["rate"], "B/s")))
    columns = ("Device", "What", "Size", "At most")
    caption = "The best that this run measured"
    return table(caption, columns, rows, text_columns=(0, 1)) if rows else None


def _tables(part: _Part, rows: Sequence[Row]) -> Html | None:
    words = [k for k, name in enumerate(part.columns) if name in ("Variant", "Side")]
    tables = [
        table(title, part.columns, [part.cells(row) for row in group], text_columns=words)
        for title, group in groupby(rows, console.heading)
    ]
    return join(element("p", part.explained), *tables) if tables else None


def _peers(peers: Sequence[dict[str, Any]]) -> Html:
    tables = [
        table(title, peer_table.HEADER, [peer_table.cells(row) for row in measured])
        for title, rows in peer_table.groups(peers)
        if (measured := list(filter(peer_table.has_ratio, rows)))
    ]
    return join(element("p", peer_table.TITLE), *tables, _lines(peer_table.remarks(peers)))
