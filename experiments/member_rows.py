"""What an epoch of several seeds or settings adds to the record."""

from collections.abc import Sequence

from dl_jax import report
from experiments.grid import Grid
from experiments.record import Record

Rows = list[dict[str, float]]


def add_members(record: Record, seeds: Sequence[int], grid: Grid, rows: Rows) -> None:
    """Write a line of `metrics.jsonl` for an epoch of each member."""
    names = [{"seed": seed, **point} for point in grid for seed in seeds]
    for name, row in zip(names, rows, strict=True):
        report.append_jsonl(record.folder / "metrics.jsonl", {**name, **row})


def add_means(record: Record, seeds: Sequence[int], rows: Rows) -> None:
    """Add an epoch's means over seeds and their spread to the record."""
    add_members(record, seeds, [{}], rows)
    (row,), (spread,) = report.history_of([[row] for row in rows])
    record.result["history"] = [*record.result["history"], row]
    record.result["spread"] = [*record.result.get("spread", ()), spread]
    if record.board:
        report.add_row(record.board, row)
    figures = [f"{k} {row[k]:.4f} +-{one['high'] - row[k]:.4f}" for k, one in spread.items()]
    print(f"epoch {row['epoch']:2.0f}  {'  '.join(figures)}", flush=True)
