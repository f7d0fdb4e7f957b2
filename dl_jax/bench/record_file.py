"""The record of a benchmark on disk, as JSON: how it is written and read, and what is no record."""

import json
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from dl_jax.bench.record import FORMAT, VERSION, Record, Row
from dl_jax.report import write_json


def write_record(path: Path, record: Record) -> None:
    """Write the record, whole or not at all."""
    write_json(path, record)


def read_record(path: Path) -> Record:
    """Return the record in a file.

    Raises:
        ValueError: for a file that is no benchmark, or of another version.
        OSError: for a file that cannot be read.
    """
    expected = f"{path}: expected a benchmark, as dl-jax bench --json writes it"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{expected}, got no file of that name") from error
    except OSError as error:
        raise OSError(f"{expected}, got one that cannot be read ({error.strerror})") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{expected}, got a file that is no JSON ({error})") from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        what = f"format {found['format']!r}" if _has_format(found) else "other JSON"
        raise ValueError(f"{expected}, got {what}")
    if found.get("version") != VERSION:
        raise ValueError(
            f"{path}: a benchmark of version {found.get('version')!r}, expected version {VERSION}; "
            "repeat it with this dl_jax, or read it with the one that wrote it"
        )
    missing = sorted(Record.__annotations__.keys() - found.keys())
    for row in found.get("rows") or ():
        missing += sorted(
            Row.__annotations__.keys() - (row.keys() if isinstance(row, dict) else ())
        )
    if missing:
        raise ValueError(f"{expected}, got one without {', '.join(dict.fromkeys(missing))}")
    return found  # pyright: ignore[reportReturnType]


def _has_format(found: Any) -> bool:
    return isinstance(found, dict) and "format" in found


def check_target(path: Path) -> None:
    """Raise an error unless a record can be written to the file and nothing else is lost by it.

    Raises:
        ValueError: if the file is there and is no benchmark.
        OSError: if there is no such folder, or none that can be written.
    """
    if path.is_dir() or not path.parent.is_dir():
        raise OSError(f"--json {path}: expected a file in a folder that exists")
    try:
        with TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise OSError(
            f"--json {path}: expected a folder that can be written, got {error.strerror}"
        ) from error
    if path.is_file() and path.stat().st_size:
        try:
            read_record(path)
        except ValueError as error:
            raise ValueError(
                f"--json: {error}; nothing else is overwritten, choose another name"
            ) from error
