"""`dl-jax runs`: the table in the console, and the same as JSON."""

import argparse
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dl_jax.report import Result, format_number
from dl_jax.report.notices import epochs_text
from dl_jax.report.result import whole_time
from dl_jax.report.run_folder import json_text, write_json
from dl_jax.report.runs import find_runs, read_result, read_run
from dl_jax.report.table import format_table
from dl_jax.runs.compare import as_json, as_text, compare

HEADER = ("Run", "Experiment", "Started (UTC)", "Status", "Verdict", "Time")


def run(options: argparse.Namespace) -> int:
    """List the runs below a folder, or compare two.

    Returns:
        0; 2 if something that looks like a run could not be read, after the others.

    Raises:
        ValueError: for a folder that is none, or more than two; for one of two that is no run.
        OSError: where a run cannot be read or the JSON cannot be written.
    """
    paths = [Path(path).expanduser() for path in options.folders]
    to_stdout = options.json == "-"
    target = Path(options.json).expanduser() if options.json and not to_stdout else None
    if target and (target.is_dir() or not target.parent.is_dir()):
        raise OSError(f"--json {target}: expected a file in a folder that exists")
    if len(paths) > 2:
        raise ValueError(f"expected a folder to list, or two runs to compare, got {len(paths)}")
    if len(paths) == 2:
        comparison = compare(*(_ended(path) for path in paths))
        text, data, code = as_text(paths, comparison), as_json(comparison), 0
    else:
        text, data, code = _list(paths[0] if paths else Path("runs"))
    if target:
        write_json(target, data)
    if to_stdout:
        sys.stdout.write(json_text(data))
    else:
        print(text)
    return code


def _ended(path: Path) -> Result:
    result = read_run(path)
    if result is None:
        raise ValueError(f"{path}: this run has not ended, and has no figures to compare yet")
    return result


def _list(folder: Path) -> tuple[str, list[dict[str, Any]], int]:
    """The table, what it holds, and the exit code."""
    found, code = [], 0
    for path in find_runs(folder):
        try:
            found.append(_entry(path, read_run(path)))
        except (OSError, ValueError) as error:
            print(f"dl-jax runs: {error}", file=sys.stderr)
            code = 2
    found.sort(key=lambda entry: entry["started"])
    rows = []
    for entry in found:
        time = "-" if entry["seconds"] is None else f"{entry['seconds']:,.1f} s"
        when = entry["started"][:16].replace("T", " ")
        rows.append([entry["folder"], entry["experiment"] or "-", when, entry["status"],
                     entry["verdict"] or "-", time])  # fmt: skip
        figures = [f"{name} {format_number(value)}" for name, value in entry["figures"].items()]
        rows += [[f"    {', '.join(figures)}"]] if figures else []
    if not rows:
        return f"{folder}: no runs", [], code
    return format_table(HEADER, rows, numbers=(5,)), found, code


def _epochs(metrics: Path) -> int:
    """How many have lines; each of many members has one of its own, the last may be torn."""
    lines = metrics.read_text(encoding="utf-8").splitlines()
    return len({found[1] for line in lines if (found := re.search(r'"epoch": *([0-9]+)', line))})


def _entry(path: Path, result: Result | None) -> dict[str, Any]:
    """What the list has of a run."""
    if result is None:
        changed = datetime.fromtimestamp((path / "config.json").stat().st_mtime, UTC)
        epochs = path / "metrics.jsonl"
        known = (path / "result.json").is_file()
        number = _epochs(epochs) if epochs.is_file() else 0
        return {
            "folder": str(path),
            "experiment": read_result(path)["experiment"] if known else None,
            "started": _text(changed),
            "status": f"not ended, {epochs_text(number)}", "verdict": None, "seconds": None,
            "figures": {},
        }  # fmt: skip
    written = datetime.fromtimestamp((path / "result.json").stat().st_mtime, UTC)
    return {
        "folder": str(path),
        "experiment": result["experiment"],
        "started": result.get("started") or _text(written),
        "status": result["status"],
        "verdict": result["verdict"],
        "seconds": whole_time(result),
        "figures": {figure["name"]: figure["value"] for figure in result["figures"]},
    }


def _text(when: datetime) -> str:
    return when.isoformat(timespec="seconds")
