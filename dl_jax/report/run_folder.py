"""The folder of a run: made anew for each run, and written so that nothing is ever lost."""

import json
import math
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any


class RunFolderError(OSError):
    """A run folder that cannot be made; the message names it and says what to do."""


def make_run_folder(path: Path | None, name: str, option: str = "--out") -> Path:
    """Makes a new folder for a run; never one that exists.

    Without a path it is `runs/NAME-N`. With one it is `path`, or, where that exists, the
    next of `path-2`, `path-3`, ... beside it; compare the answer with `path` to tell the
    user. N is one more than the highest there, so that the numbers are in order of time even
    after one was deleted. Runs that start at the same moment get different folders.

    Args:
        path: the folder that the user asked for, or None.
        name: the experiment's name, for the default.
        option: by which the user asked for it, and can ask for another one.

    Returns:
        The folder that was made.

    Raises:
        RunFolderError: where no folder can be made there.
    """
    if path is None:
        base, candidate = Path("runs") / name, None
    else:
        base = candidate = Path(path).expanduser()
        if base.name in ("", ".."):  # of Path("") too
            raise RunFolderError(f"{option}: expected the name of a new folder, got {str(path)!r}")
    try:
        base.parent.mkdir(parents=True, exist_ok=True)
        while True:
            candidate = candidate or _next_free(base)
            try:
                candidate.mkdir()
            except FileExistsError:  # it was there, or another run was faster
                candidate = None
            else:
                return candidate
    except OSError as error:
        raise RunFolderError(
            f"{candidate or base}: cannot make the run folder ({error.strerror or error}); "
            f"choose a folder that can be written with {option} FOLDER"
        ) from error


def _next_free(base: Path) -> Path:
    """`base-N`, with N one more than the highest there; a plain `base` counts as the first."""
    pattern = re.compile(re.escape(base.name) + r"-([0-9]+)")
    matches = (pattern.fullmatch(entry) for entry in os.listdir(base.parent))
    highest = max((int(match[1]) for match in matches if match), default=0)
    if base.exists():
        highest = max(highest, 1)
    return base.parent / f"{base.name}-{highest + 1}"


def write_text(path: Path, text: str) -> None:
    """Writes a file whole or not at all: what was there stays until the new one is complete.

    A link stays and what it leads to is replaced; a device or a pipe is written to.
    """
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file():
        path.write_text(text, encoding="utf-8", newline="\n")
        return
    # The process id keeps two runs apart that write the same file.
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8", newline="\n")
        os.replace(temporary, path)
    except BaseException:  # Ctrl-C too
        with suppress(OSError):
            temporary.unlink()
        raise


def json_text(obj: Any) -> str:
    """Returns `obj` as JSON, indented, with a newline at the end.

    Arrays and scalars of numpy and JAX become lists and numbers, paths become strings. JSON
    has no NaN and no infinity: they are written as the strings `"NaN"`, `"Infinity"` and
    `"-Infinity"`, which `float` reads back, so that a run that diverged can be told from a
    value that is missing (null).

    Raises:
        TypeError: for an object that JSON cannot hold.
    """
    return json.dumps(_plain(obj), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def write_json(path: Path, obj: Any) -> None:
    """Writes `json_text(obj)`, whole or not at all.

    Raises:
        TypeError: for an object that JSON cannot hold; nothing is written.
    """
    write_text(path, json_text(obj))


def append_jsonl(path: Path, row: Mapping[str, Any]) -> None:
    """Appends `row` as one line of JSON, with `write_json`'s rules for its values.

    The line goes out in one write, so that an interruption leaves whole lines.
    """
    line = json.dumps(_plain(row), ensure_ascii=False, allow_nan=False) + "\n"
    with open(path, "ab", buffering=0) as file:
        file.write(line.encode())


def _plain(obj: Any) -> Any:
    """`obj` made of what JSON has."""
    if hasattr(obj, "tolist"):  # an array or a scalar of numpy or JAX
        return _plain(obj.tolist())
    if isinstance(obj, float) and not math.isfinite(obj):
        return "NaN" if math.isnan(obj) else ("Infinity" if obj > 0 else "-Infinity")
    if isinstance(obj, Mapping):
        return {str(key): _plain(value) for key, value in obj.items()}
    if isinstance(obj, list | tuple):
        return [_plain(value) for value in obj]
    if isinstance(obj, os.PathLike):
        return os.fspath(obj)
    return obj
