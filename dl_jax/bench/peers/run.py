"""The comparison: each peer beside this project, in turns, in one run."""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple, TypedDict

from dl_jax.bench.clock import Timing, quartiles
from dl_jax.bench.peers import catalog, check, problem
from dl_jax.bench.peers.busy import pause
from dl_jax.bench.peers.protocol import Worker, WorkerFailed, worker_command

_TURN_SECONDS = 0.7  # of as many steps as it takes, where the unit is a step
_PAUSE_SECONDS = 0.3  # before each turn: OpenBLAS' threads spin for 0.12 s before they sleep
_BUSY = 0.2  # cores that work for something else, from which on figures are not to be believed
_MOST_SECONDS, _FEWEST = 120.0, 5  # of turns, when the pairs are fewer; and how few
_PATIENCE = {"prepare": 900.0, "check": 600.0, "turn": 300.0}  # seconds until a worker hangs


class Row(TypedDict):
    """A peer beside this project; null where there is no figure.

    Keys:
        workload: what was trained.
        peer: by what; a key of `catalog.PEERS`.
        version: of the framework, with that of its backend.
        baseline: `"dl_jax"`.
        unit: what the seconds are of, `"step"` or `"epoch"`.
        ours_seconds, seconds: of a unit, by this project and by the peer.
        ratio: the peer's seconds over ours, pair by pair: above 1, this project is faster.
        loss_ours, loss_peer: after the check's steps.
        note: settings and differences; or that the peer computes something else.
        missing: why it was left out.
    """

    workload: str
    peer: str
    version: str | None
    baseline: str
    unit: str
    ours_seconds: Timing | None
    seconds: Timing | None
    ratio: Timing | None
    loss_ours: float | None
    loss_peer: float | None
    note: str | None
    missing: str | None


def run_peers(
    workloads: Sequence[str],
    *,
    rounds: int,
    data: str,
    show: Callable[[str], None],
    keep: Callable[[dict[str, Any]], None] = lambda row: None,
) -> list[dict[str, Any]]:
    """Compare with each framework, in turns; return a `Row` for each, also for those left out.

    Each runs in a process of its own, this project too, with all cores and its own defaults, but
    for `protocol.ENVIRONMENT`: they keep the memory that they free, and JAX returns from a call
    when it has run. A peer is checked first: the same initial
    parameters, examples and steps must give the same loss as here. Then come pairs: ours, the
    peer's, ours, the peer's; each gives a ratio.

    Args:
        workloads: keys of `problem.WORKLOADS`.
        rounds: how many pairs; fewer, but five at least, once they took two minutes.
        data: `"synthetic"` or `"real"`.
        show: told what is being done.
        keep: given each row as soon as it is there, so that an interrupted run has some.

    Raises:
        ValueError: if there is no such workload or kind of data, or `rounds` is not positive.
        DataNotFound, DataCorrupted: if the real data cannot be had.
    """
    if rounds < 1:
        raise ValueError(f"peers: expected at least 1 round, got {rounds}")
    for workload in workloads:
        problem.check_names(workload, data)
    rows: list[dict[str, Any]] = []
    for workload in workloads:
        show(f"{workload}: peers' data")
        with tempfile.TemporaryDirectory() as folder:
            problem.save(problem.make_problem(workload, data), Path(folder))
            for row in _compare_all(workload, folder, rounds, show):
                rows.append({**row})
                keep(rows[-1])
    return rows


def _compare_all(
    workload: str, folder: str, rounds: int, show: Callable[[str], None]
) -> Iterator[Row]:
    """Rows, one after the other, with this project's process alive beside each peer's."""
    with Worker(worker_command(catalog.OURS, workload)) as worker:

        def ours(do: str, **arguments: Any) -> dict[str, Any]:
            try:
                return worker.ask(do, within=_PATIENCE[do], **arguments)
            except WorkerFailed as error:
                raise WorkerFailed(f"{catalog.OURS} itself failed: {error}") from None

        show(f"{workload}: {catalog.OURS}, preparing")
        prepared, failure = {}, None
        try:
            prepared = ours("prepare", folder=folder, turn_seconds=_TURN_SECONDS)
        except WorkerFailed as error:
            failure = str(error)
        case = _Case(workload, folder, rounds, prepared.get("platform", ""), cache(ours), ours)
        for name, entry in catalog.PEERS.items():
            if workload not in entry.workloads:
                continue
            row, missing = _empty(workload, name), catalog.missing(name) or failure
            if missing is None:
                try:
                    row = _compare(case, name, show)
                except WorkerFailed as error:
                    missing = str(error)
            yield {**row, "missing": missing}


class _Case(NamedTuple):
    """What the comparisons of a workload share; `check` is asked once for each reference."""

    workload: str
    folder: str
    rounds: int
    platform: str
    check: Callable[..., dict[str, Any]]
    ours: Callable[..., dict[str, Any]]


def _compare(case: _Case, name: str, show: Callable[[str], None]) -> Row:
    label, row = f"{case.workload}: {name}", _empty(case.workload, name)
    with Worker(worker_command(name, case.workload), catalog.entry(name).environment) as worker:

        def theirs(do: str, **arguments: Any) -> dict[str, Any]:
            return worker.ask(do, within=_PATIENCE[do], **arguments)

        show(f"{label}, preparing")
        prepared = theirs("prepare", folder=case.folder, turn_seconds=_TURN_SECONDS)
        if prepared["platform"] != case.platform:
            raise WorkerFailed(
                f"computes on the {prepared['platform']} here and {catalog.OURS} on the "
                f"{case.platform}, which would compare devices"
            )
        row["version"], row["note"] = prepared["version"], prepared["note"] or None

        show(f"{label}, checking")
        expected = case.check("check", steps=check.STEPS, reference=prepared["reference"])
        found = theirs("check", steps=check.STEPS, reference="")
        row["loss_ours"], row["loss_peer"] = expected["after"], found["after"]
        if different := check.difference(expected, found, case.platform):
            row["note"] = different
            return row

        samples: tuple[list[float], list[float]] = ([], [])
        busy: list[float] = []
        started = time.monotonic()
        while not _enough(len(samples[0]), case.rounds, time.monotonic() - started):
            show(f"{label}, pair {len(samples[0]) + 1} of {case.rounds}")
            for ask, seconds in zip((case.ours, theirs), samples, strict=True):
                busy.append(pause(_PAUSE_SECONDS) or 0.0)
                seconds.append(ask("turn")["seconds"])
    ratios = [peer / ours for ours, peer in zip(*samples, strict=True)]
    row["ours_seconds"], row["seconds"], row["ratio"] = map(quartiles, (*samples, ratios))
    if median(busy) > _BUSY:
        noted = f"other work kept {median(busy):.1f} cores busy meanwhile: repeat this"
        row["note"] = "; ".join(filter(None, [noted, row["note"]]))
    return row


def _enough(pairs: int, rounds: int, seconds: float) -> bool:
    return pairs >= rounds or (pairs >= _FEWEST and seconds > _MOST_SECONDS)


def _empty(workload: str, peer: str) -> Row:
    return {
        "workload": workload,
        "peer": peer,
        "version": None,
        "baseline": catalog.OURS,
        "unit": problem.WORKLOADS[workload].unit,
        "ours_seconds": None,
        "seconds": None,
        "ratio": None,
        "loss_ours": None,
        "loss_peer": None,
        "note": None,
        "missing": None,
    }
