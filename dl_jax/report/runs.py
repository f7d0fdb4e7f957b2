"""Run folders, read back: what is one, and what it holds."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dl_jax.report.result import VERSION, Result


def read_run(folder: Path) -> Result | None:
    """Return what the run of a folder says of itself; None where it has not ended.

    It may still be running, or have been killed.

    Raises:
        ValueError: if the folder is none of a run, a damaged one, or of a newer dl_jax.
        OSError: if a file of it cannot be read.
    """
    for name in ("result.json", "config.json"):
        if (folder / name).is_file():
            break
    else:
        what = "a folder without them" if folder.is_dir() else "no folder of that name"
        raise ValueError(
            f"{folder}: expected a run's folder, with config.json or result.json, got {what}"
        )
    if name == "config.json":
        if "out" not in _object(folder / name):  # which every configuration has
            raise ValueError(f"{folder / name}: expected the configuration of a run, got another")
        return None
    result = read_result(folder)
    return None if result["status"] == "running" else result


def read_result(folder: Path) -> Result:
    """Return the `result.json` of a run, also of one that has not ended.

    Raises:
        ValueError: if it is none, a damaged one, or of a newer dl_jax.
        OSError: if it cannot be read.
    """
    path = folder / "result.json"
    found = _object(path)
    version = found.get("version", VERSION)  # the first ones do not say it
    if not isinstance(version, int) or version > VERSION:
        raise ValueError(
            f"{folder}: a run of version {version!r}, written by a newer dl_jax; this one reads up "
            f"to version {VERSION}: install the newer one"
        )
    missing = sorted(Result.__required_keys__ - found.keys())
    if missing:
        raise ValueError(f"{path}: expected the result of a run, got one without "
                         f"{', '.join(missing)}")  # fmt: skip
    kinds = {"config": dict, "times": dict, "environment": dict, "figures": list, "history": list}
    wrong = [name for name, kind in kinds.items() if not isinstance(found[name], kind)]
    rows = {"figures": {"name", "value", "verdict"}, "history": {"epoch"}}
    for name in rows.keys() - set(wrong):
        if not all(isinstance(row, dict) and rows[name] <= row.keys() for row in found[name]):
            wrong.append(name)
    if wrong:
        raise ValueError(f"{path}: a damaged result: {', '.join(wrong)} is not what a run writes")
    return found  # pyright: ignore[reportReturnType]


def find_runs(folder: Path) -> Iterator[Path]:
    """Find what look like runs' folders below a folder, itself included, by name.

    Raises:
        ValueError: if there is no such folder.
    """
    if not folder.is_dir():
        raise ValueError(
            f"{folder}: expected a folder with runs, got "
            f"{'a file' if folder.exists() else 'none of that name'}; experiments make runs/"
        )
    marks = {path.parent for name in ("result.json", "config.json") for path in folder.rglob(name)}
    yield from sorted(marks)


def _object(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: no JSON, or a damaged file ({error})") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path}: expected an object, got {type(found).__name__}")
    return found
