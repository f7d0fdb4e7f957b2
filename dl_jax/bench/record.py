"""The record of a benchmark, as JSON: what it holds, and how it is written and read."""

import json
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Literal, TypedDict

import jax

from dl_jax.bench.ceilings import Ceilings
from dl_jax.bench.clock import Timing
from dl_jax.bench.cost import Counted, Work
from dl_jax.bench.memory import Memory
from dl_jax.report import environment, write_json

FORMAT = "dl_jax benchmark"
VERSION = 1

RowStatus = Literal["measured", "out of memory", "failed"]


class Stages(TypedDict):
    """Seconds of what happens once; null for what an uncompiled variant does not do."""

    trace: float | None
    lower: float | None
    compile: float | None
    first_run: float


class Rates(TypedDict):
    """How fast, and as a share of what the device can do; null where a ceiling is not known.

    Keys:
        examples_per_second: trained on, by all members.
        flops_per_second: analytic FLOPs.
        flops_share: of the ceiling of products in this precision.
        bytes_per_second: compulsory bytes.
        bytes_share: of the ceiling of copies.
        intensity: FLOPs per byte.
        side: of the roofline: `"compute"` from the ridge on, where products are the lower
            ceiling, `"memory"` before it.
    """

    examples_per_second: float
    flops_per_second: float
    flops_share: float | None
    bytes_per_second: float
    bytes_share: float | None
    intensity: float
    side: Literal["compute", "memory"] | None


class Row(TypedDict):
    """One workload in one variant on one device; null where it could not be measured.

    Keys:
        workload, variant, batch_size, precision, image_size, members, num_epochs, data,
            num_train: what was done; members of an ensemble, epochs of a run, examples of an
            epoch. Rows that differ here did different work.
        device: as in the record's devices.
        status: whether it was measured.
        note: why not.
        fits: after running out of memory, the largest batch size tried that did fit, by halves.
        num_params: of the model.
        work: what one call does.
        step_counted: analytic FLOPs and bytes of a step, of all members.
        xla_counted: XLA's of the program, a loop's body once: comparable for a step alone.
        stages: seconds of what happens once.
        dispatch: seconds until a call returns.
        call: seconds of a call.
        step: seconds of a step, as the share of a call.
        noisy: whether the quartiles are too far apart to call it.
        memory: at its peak.
        rates: what follows from the above.
    """

    workload: str
    variant: str
    batch_size: int
    precision: str
    image_size: int | None
    members: int
    num_epochs: int | None
    data: str
    num_train: int
    device: str
    status: RowStatus
    note: str | None
    fits: int | None
    num_params: int | None
    work: Work | None
    step_counted: Counted
    xla_counted: Counted
    stages: Stages | None
    dispatch: Timing | None
    call: Timing | None
    step: Timing | None
    noisy: bool | None
    memory: Memory | None
    rates: Rates | None


class Device(TypedDict):
    """A device, with what it can do at most; `name` is what `--device` takes."""

    name: str
    platform: str
    kind: str
    ceilings: Ceilings


class Record(TypedDict):
    """The whole of a benchmark.

    Keys:
        format, version: what this is.
        status: whether it came to its end; what it has is whole in either case.
        command: the command line that repeats it.
        date: when it began, in UTC.
        environment: `report.environment()` with JAX's default matmul precision.
        devices: on which it ran.
        rows: what was measured.
        peers: the rows of `bench.peers`, the same training by other frameworks.
    """

    format: str
    version: int
    status: Literal["finished", "interrupted"]
    command: str
    date: str
    environment: dict[str, Any]
    devices: list[Device]
    rows: list[Row]
    peers: list[dict[str, Any]]


def new_record(command: str) -> Record:
    """Return a record without rows, interrupted until it is finished."""
    precision = jax.config.jax_default_matmul_precision  # pyright: ignore[reportAttributeAccessIssue]
    return {
        "format": FORMAT,
        "version": VERSION,
        "status": "interrupted",
        "command": command,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "environment": {
            **environment(),
            "default_matmul_precision": precision or "default",
        },
        "devices": [],
        "rows": [],
        "peers": [],
    }


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
