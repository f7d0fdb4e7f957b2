"""The tables of a benchmark in the console, within 100 columns."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from dl_jax.bench import peer_table
from dl_jax.bench.clock import FEWEST, NOISE_BOUND
from dl_jax.bench.record import Device, Record, Row
from dl_jax.report import units
from dl_jax.report.table import format_table

_TIMES = ("", "Trace", "Lower", "Compile", "First", "Dispatch", "Step [quartiles]", "n",
          "Examples/s")  # fmt: skip
_WORK = ("", "FLOPs", "XLA", "Bytes", "XLA", "FLOP/s", "", "B/s", "", "FLOP/B", "Side", "Memory")


def as_text(record: Record, stopped: str = "interrupted") -> str:
    """Return everything that was measured, as tables of plain text.

    Args:
        record: what was measured.
        stopped: what became of a benchmark that did not finish.
    """
    lines = [machine(record), *map(_ceilings, record["devices"])]
    timed = [row for row in record["rows"] if is_timed(row)]
    if timed:
        lines += ["", "Times", _table(_TIMES, timed, times_cells), *_notes(timed)]
        lines += ["", "Work of a step", _table(_WORK, timed, work_cells), *_explained(timed)]
    missing = [row for row in record["rows"] if not is_timed(row)]
    if missing:
        lines += ["", "Not measured", *map(failure, missing)]
    if record["peers"]:
        lines += ["", *peer_table.as_lines(record["peers"])]
    if record["status"] == "interrupted":
        lines += ["", f"This benchmark was {stopped}: these are the rows that were finished."]
    return "\n".join(lines)


def heading(row: Row) -> str:
    """Return what the rows of one group have in common."""
    size = f", {row['image_size']}x{row['image_size']}" if row["image_size"] else ""
    params = f", {row['num_params']:,} parameters" if row["num_params"] else ""
    return (
        f"{row['workload']}, batch {row['batch_size']}{size}, {row['precision']}, {row['data']} "
        f"data, {row['device']}{params}"
    )


def variant(row: Row) -> str:
    """Return the variant, an ensemble with its size."""
    return f"{row['variant']} {row['members']}" if row["variant"] == "ensemble" else row["variant"]


def is_timed(row: Row) -> bool:
    """Say whether a row has times."""
    return row["step"] is not None


def machine(record: Record) -> str:
    """Return the machine and what JAX makes of it, in a line."""
    found = record["environment"]
    jax, precision = found["packages"].get("jax", "?"), found["default_matmul_precision"]
    at = "at its default precision" if precision == "default" else f"at precision {precision}"
    return f"{found['cpu']}, {found['cores']} cores; JAX {jax}, matrix products {at}"


def _ceilings(device: Device) -> str:
    ceilings = device["ceilings"]
    parts = [
        f"{units.count(ceiling['rate'], 'FLOP/s')} in {precision} (product of {ceiling['size']}²)"
        for precision, ceiling in ceilings["matmul"].items()
    ]
    if copy := ceilings["copy"]:
        parts.append(f"{units.count(copy['rate'], 'B/s')} copying {copy['size'] >> 20} MiB")
    indent = ",\n  ".join(parts) if parts else "no ceiling could be measured"
    return f"{device['name']} ({device['kind']}), at most\n  {indent}"


def _table(header: Sequence[str], rows: Sequence[Row], cells: Any) -> str:
    body: list[list[str]] = []
    for title, group in groupby(rows, heading):
        body.append([title])
        body += map(cells, group)
    numbers = range(1, len(header) - (header is _WORK))
    return format_table(header, body, numbers=numbers)


def failure(row: Row) -> str:
    """Return why a row has no times, in two lines: what it is, and what came of it."""
    return f"{heading(row)}\n  {variant(row)}: {reason(row)}"


def reason(row: Row) -> str:
    """Return why a row has no times."""
    if row["status"] == "out of memory":
        fits = row["fits"]
        what = f"batch {fits} did fit" if fits else "no smaller batch did fit either"
        return f"out of memory at batch {row['batch_size']}; {what}"
    said = (row["note"] or "unknown").strip().splitlines()[0]
    return f"failed: {said if len(said) <= 80 else said[:79] + '…'}"


def times_cells(row: Row) -> list[str]:
    """Return the cells of a row with times: stages, dispatch, step, n and examples per second."""
    stages, step, dispatch, rates = row["stages"], row["step"], row["dispatch"], row["rates"]
    assert stages is not None
    assert step is not None
    assert dispatch is not None
    once = (stages["trace"], stages["lower"], stages["compile"], stages["first_run"])
    return [
        f"  {variant(row)}",
        *map(units.seconds, once),
        units.seconds(dispatch["median"]),
        units.timing(step) + (" ?" if row["noisy"] else "  "),
        str(step["n"]),
        units.count(rates["examples_per_second"] if rates else None),
    ]


def work_cells(row: Row) -> list[str]:
    """Return the cells of a row with times: FLOPs, bytes, rates with their shares, memory."""
    counted, xla, memory, rates = (
        row["step_counted"], row["xla_counted"], row["memory"], row["rates"],
    )  # fmt: skip
    assert rates is not None
    beside = row["variant"] == "step"  # XLA counts a loop's body once
    return [
        f"  {variant(row)}",
        units.count(counted["flops"]),
        units.count(xla["flops"]) if beside else "-",
        units.count(counted["bytes"]),
        units.count(xla["bytes"]) if beside else "-",
        units.count(rates["flops_per_second"]),
        units.share(rates["flops_share"]),
        units.count(rates["bytes_per_second"]),
        units.share(rates["bytes_share"]),
        units.count(rates["intensity"]),
        rates["side"] or "-",
        units.count(memory["bytes"]) + ("*" if memory["source"] == "device" else "")
        if memory
        else "-",
    ]


def _notes(rows: Iterable[Row]) -> Iterator[str]:
    noisy = [row for row in rows if row["noisy"]]
    if noisy:
        yield (
            f"? too noisy to call: quartiles over {NOISE_BOUND:.0%} of the median apart, or fewer "
            f"than {FEWEST} samples"
        )


def _explained(rows: Sequence[Row]) -> Iterator[str]:
    yield "XLA's figures stand beside steps alone: in a program with loops it counts a body once."
    yield "Shares are of the device's ceilings above; the side is that of the roofline's ridge."
    sources = {row["memory"]["source"] for row in rows if row["memory"]}
    if "program" in sources:
        yield "Memory: arguments, results and temporaries of the program, by XLA's analysis."
    if "device" in sources:
        yield "Memory*: the most that the device ever had in use, by its own counter."
