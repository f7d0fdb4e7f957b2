"""The record of a benchmark: what it holds."""

from datetime import UTC, datetime
from typing import Any, Literal, TypedDict

import jax

from dl_jax.bench.ceilings import Ceilings
from dl_jax.bench.clock import Timing
from dl_jax.bench.cost import Counted, Work
from dl_jax.bench.memory import Memory
from dl_jax.report import environment

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
