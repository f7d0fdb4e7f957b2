"""Which plots a benchmark and a comparison have, and of which rows."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from dl_jax.bench.clock import is_noisy
from dl_jax.bench.compare import Comparison
from dl_jax.bench.console import is_timed, variant
from dl_jax.bench.peer_table import has_ratio
from dl_jax.bench.record import Device, Record, Row
from dl_jax.report.picture import Picture
from dl_jax.report.plots import (
    Bar,
    Dot,
    Ratio,
    Series,
    plot_batch_sizes,
    plot_ratios,
    plot_roofline,
    plot_stages,
)

_MOST_BARS = 30  # in one picture


def of_record(folder: Path, record: Record) -> list[Picture]:
    """Draw a roofline, step times against batch sizes and the stages, for each device; peers."""
    drawn: list[Picture] = []
    for device in record["devices"]:
        rows = [r for r in record["rows"] if r["device"] == device["name"] and is_timed(r)]
        stem = device["name"].replace(":", "-")
        drawn += _roofline(folder / f"roofline-{stem}.png", device, rows)
        drawn += _batch_sizes(folder / f"batch-sizes-{stem}.png", device, rows)
        drawn += _stages(folder, stem, device, rows)
    measured = list(filter(has_ratio, record["peers"]))
    if measured:
        groups: dict[str, list[Ratio]] = {}
        for row in measured:
            found = row["ratio"]
            ratio = Ratio(row["peer"], found["median"], found["q1"], found["q3"], is_noisy(found))
            groups.setdefault(row["workload"], []).append(ratio)
        drawn.append(
            plot_ratios(groups, folder / "peers.png", title="Peers",
                        meaning="Time of the peer / time of dl_jax")
        )  # fmt: skip
    return drawn


def of_comparison(folder: Path, comparison: Comparison) -> list[Picture]:
    """Draw how many times as fast as the first each other column is."""
    first, *others = comparison.columns
    groups: dict[str, list[Ratio]] = {}
    rows = [match.rows[0] for match in comparison.matches]
    for match in comparison.matches:
        row = match.rows[0]
        assert row is not None
        for column, ratio in zip(others, match.ratios[1:], strict=True):
            if ratio is not None:
                label = variant(row) if len(others) == 1 else f"{variant(row)}, {column.name}"
                groups.setdefault(_group(row, [r for r in rows if r]), []).append(
                    Ratio(label, *ratio)
                )
    title = f"{others[0].name} beside {first.name}" if len(others) == 1 else "Benchmarks"
    return [
        plot_ratios(groups, folder / "ratios.png", title=title,
                    meaning=f"Times as fast as {first.name}")
    ]  # fmt: skip


def _roofline(path: Path, device: Device, rows: Sequence[Row]) -> list[Picture]:
    ceilings = device["ceilings"]
    products = {name: ceiling["rate"] for name, ceiling in ceilings["matmul"].items()}
    dots = [
        Dot(_group(row, rows), variant(row), rates["intensity"], rates["flops_per_second"])
        for row in rows
        if (rates := row["rates"])
    ]
    if not dots or not products or not ceilings["copy"]:
        return []
    copy = ceilings["copy"]["rate"]
    return [plot_roofline(dots, products, copy, path, title=f"Roofline of {device['name']}")]


def _batch_sizes(path: Path, device: Device, rows: Sequence[Row]) -> list[Picture]:
    programs: dict[str, list[Row]] = {}
    for row in rows:
        name = f"{_group({**row, 'batch_size': 0}, [{**r, 'batch_size': 0} for r in rows])}"
        programs.setdefault(f"{name}, {variant(row)}", []).append(row)
    series = []
    for label, members in programs.items():
        steps = sorted((row["batch_size"], row["step"]) for row in members if row["step"])
        if len(steps) > 1:
            sizes, timings = zip(*steps, strict=True)
            parts = ([t[key] for t in timings] for key in ("median", "q1", "q3"))
            series.append(Series(label, sizes, *parts))
    if not series:
        return []
    return [plot_batch_sizes(series, path, title=f"Step time on {device['name']}")]


def _stages(folder: Path, stem: str, device: Device, rows: Sequence[Row]) -> list[Picture]:
    panels: dict[str, list[Bar]] = {}
    for row in rows:
        if stages := row["stages"]:
            once = (stages["trace"], stages["lower"], stages["compile"], stages["first_run"])
            seconds = [part or 0.0 for part in once]
            bar = Bar(variant(row), (seconds[0], seconds[1], seconds[2], seconds[3]))
            panels.setdefault(_group(row, rows), []).append(bar)
    drawn = []
    for number, part in enumerate(_pieces(panels)):
        path = folder / f"stages-{stem}{f'-{number + 1}' if number else ''}.png"
        drawn.append(plot_stages(part, path, title=f"What happens once, on {device['name']}"))
    return drawn


def _pieces(panels: dict[str, list[Bar]]) -> list[dict[str, list[Bar]]]:
    """The panels in as many pictures as keep each of them legible."""
    numbers, total = [], 0
    for panel in panels.values():
        total += len(panel)
        numbers.append((total - 1) // _MOST_BARS)
    grouped = groupby(zip(numbers, panels.items(), strict=True), lambda pair: pair[0])
    return [dict(item for _, item in group) for _, group in grouped]


def _group(row: Row, rows: Sequence[Row]) -> str:
    """What a row trains, with whatever of it is not the same in all rows of that workload."""
    alike = [other for other in rows if other["workload"] == row["workload"]]
    parts = [row["workload"]]
    if len({other["image_size"] for other in alike}) > 1:
        parts.append(f"{row['image_size']}x{row['image_size']}")
    if len({other["batch_size"] for other in alike}) > 1:
        parts.append(f"batch {row['batch_size']}")
    if len({other["precision"] for other in alike}) > 1:
        parts.append(row["precision"])
    return ", ".join(parts)
