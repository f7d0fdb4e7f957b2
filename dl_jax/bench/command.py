"""`dl-jax bench`: what is asked for is checked, measured row by row, and kept however it ends."""

import argparse
import shlex
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

from dl_jax.bench.ceilings import best_of, measure_ceilings
from dl_jax.bench.console import as_text
from dl_jax.bench.devices import choose_devices
from dl_jax.bench.examples import SOURCES, make_data
from dl_jax.bench.interrupt import held_back
from dl_jax.bench.measure import Case, measure_row
from dl_jax.bench.precision import PRECISIONS, Precision
from dl_jax.bench.progress import progress
from dl_jax.bench.rates import with_rates
from dl_jax.bench.record import Record, check_target, new_record, write_record
from dl_jax.bench.stages import no_persistent_cache
from dl_jax.bench.variants import ENSEMBLE, RUN, VARIANTS
from dl_jax.bench.workloads import LECTURE, make_workload
from dl_jax.report.run_folder import json_text, make_run_folder
from dl_jax.train import Data

DEFAULT_MEMBERS, DEFAULT_EPOCHS, DEFAULT_REPEATS = 4, 2, 20
_Name = TypeVar("_Name", bound=str)


def run(options: argparse.Namespace) -> int:
    """Measure what was asked for, and print, write and draw what came of it.

    Returns:
        0; 1 where JAX could not run a row, for another reason than memory; 130 where it was
        interrupted, with the rows that were finished.

    Raises:
        ValueError: for what there is not, before anything is measured.
        OSError: where results cannot be written, or real data are not to be had.
    """
    cases = _cases(options)
    to_stdout = options.json == "-"
    path = Path(options.json).expanduser() if options.json and not to_stdout else None
    if path:
        check_target(path)
    if options.page:
        need_matplotlib()
    record = new_record(_command(options))
    folder = make_run_folder(Path(options.page), "bench") if options.page else None

    def keep() -> None:
        if path and (record["rows"] or record["status"] == "finished"):
            write_record(path, record)

    def report() -> None:
        if to_stdout:
            sys.stdout.write(json_text(record))
        else:
            print(as_text(record))
        if folder:
            from dl_jax.bench.page import write_bench_page

            print(f"Page: {write_bench_page(folder, record)}", file=sys.stderr)

    try:
        with progress() as show, no_persistent_cache():
            _measure_all(cases, options, record, keep, show)
        record["status"] = "finished"
    except KeyboardInterrupt:  # the rows so far are kept already
        report()
        return 130
    except Exception:
        if record["rows"]:
            report()
        raise
    keep()
    report()
    return int(any(row["status"] == "failed" for row in record["rows"]))


def _command(options: argparse.Namespace) -> str:
    """The command line that repeats the benchmark, without where its results go."""
    words = ["dl-jax", "bench", *options.workloads]
    asked = ("variant", "batch_size", "precision", "image_size", "ensemble", "epochs", "repeats",
             "device")  # fmt: skip
    for name in asked:
        value = getattr(options, name)
        if value is not None:
            values = value if isinstance(value, list) else [value]
            words += [f"--{name.replace('_', '-')}", *map(str, values)]
    if options.data != "synthetic":
        words += ["--data", options.data]
    return shlex.join([*words, "--peers"] if options.peers else words)


def need_matplotlib() -> None:
    """Raise a ValueError where there is no matplotlib, which draws the page's plots."""
    if find_spec("matplotlib") is None:
        raise ValueError(
            "--page needs matplotlib for its plots: pip install 'dl-jax[experiments]', or leave "
            "it out"
        )


def _cases(options: argparse.Namespace) -> list[Case]:
    """Every combination of what was asked for, workload by workload."""
    variants = _known("variant", options.variant or list(VARIANTS), VARIANTS)
    precisions = _known("precision", options.precision or ["float32"], PRECISIONS)
    (source,) = _known("data", [options.data], SOURCES)
    many = _positive("ensemble", options.ensemble, DEFAULT_MEMBERS)
    epochs = _positive("epochs", options.epochs, DEFAULT_EPOCHS)
    _positive("repeats", options.repeats, DEFAULT_REPEATS)
    for option, value, of in (
        ("ensemble", options.ensemble, (ENSEMBLE,)),
        ("epochs", options.epochs, (RUN, ENSEMBLE)),
    ):
        if value is not None and not set(of) & set(variants):
            raise ValueError(f"--{option}: only with --variant {' or '.join(of)}")
    devices = choose_devices(options.device or ())
    names = list(dict.fromkeys(options.workloads or LECTURE))
    workloads = [
        make_workload(name, image_size=options.image_size, batch_size=batch_size)
        for name in names
        for batch_size in dict.fromkeys(options.batch_size or [None])
    ]
    cases = [
        Case(workload, variant, precision, epochs, many, source, device, name)
        for name, device in devices.items()
        for workload in workloads
        for precision in precisions
        for variant in variants
    ]
    if options.peers and not set(names) & set(LECTURE):
        raise ValueError(f"--peers: there are peers for {', '.join(LECTURE)}, got {names}")
    if options.peers and options.device:
        raise ValueError(
            "--device, --peers: peers choose their device themselves, expected one or the other"
        )
    return cases


def _known(option: str, asked: Sequence[Any], existing: Iterable[_Name]) -> list[_Name]:
    known = {str(name): name for name in existing}
    for name in asked:
        if name not in known:
            raise ValueError(f"--{option}: unknown {option} {name!r}; there are {', '.join(known)}")
    return [known[name] for name in dict.fromkeys(asked)]


def _positive(option: str, value: int | None, default: int) -> int:
    if value is not None and value < 1:
        raise ValueError(f"--{option}: expected at least 1, got {value}")
    return default if value is None else value


def _measure_all(
    cases: Sequence[Case],
    options: argparse.Namespace,
    record: Record,
    keep: Callable[[], None],
    show: Callable[[str], None],
) -> None:
    """Add devices, rows and peers to the record as they are measured."""
    repeats = options.repeats or DEFAULT_REPEATS
    with held_back(show) as stage:
        _measure_rows(cases, repeats, record, keep, stage)
    if options.peers:
        from dl_jax.bench.peers import run_peers

        def add(row: dict[str, Any]) -> None:
            record["peers"].append(row)
            keep()

        names = [name for name in LECTURE if any(case.workload.name == name for case in cases)]
        run_peers(names, rounds=repeats, data=options.data, show=show, keep=add)


def _measure_rows(
    cases: Sequence[Case],
    repeats: int,
    record: Record,
    keep: Callable[[], None],
    show: Callable[[str], None],
) -> None:
    devices = {case.device_name: case.device for case in cases}
    precisions: list[Precision] = list(dict.fromkeys(case.precision for case in cases))
    show("making the data")
    data = _Latest()
    if cases[0].source == "real":  # what is not to be had ends it here, with nothing measured yet
        for case in {case.workload.name: case for case in cases}.values():
            data.of(case)
    for name, device in devices.items():
        ceilings = measure_ceilings(device, precisions, _prefixed(name, show))
        record["devices"].append(
            {"name": name, "platform": device.platform, "kind": device.device_kind,
             "ceilings": ceilings}
        )  # fmt: skip
    for number, case in enumerate(cases, start=1):
        label = f"{number}/{len(cases)} {case.label}"
        show(label)
        row = measure_row(case, data.of(case), repeats=repeats, show=_prefixed(label, show))
        record["rows"].append(row)
        _rate(record)
        keep()
    for device in record["devices"]:  # other work on the machine may have been in the way before
        name = device["name"]
        again = measure_ceilings(devices[name], precisions, _prefixed(name, show))
        device["ceilings"] = best_of(device["ceilings"], again)
    _rate(record)


class _Latest:
    """The data of the case that was asked for last: one set at a time is enough."""

    def __init__(self) -> None:
        self.key: object = None
        self.data: Data | None = None

    def of(self, case: Case) -> Data:
        """Return the data of a case, made if they are not those of the last one."""
        workload = case.workload
        key = workload.name, workload.inputs.shape, workload.num_train
        if self.data is None or key != self.key:
            self.key, self.data = key, None
            self.data = make_data(workload, case.source)
        return self.data


def _prefixed(label: str, show: Callable[[str], None]) -> Callable[[str], None]:
    return lambda text: show(f"{label}: {text}")


def _rate(record: Record) -> None:
    ceilings = {device["name"]: device["ceilings"] for device in record["devices"]}
    record["rows"] = [with_rates(row, ceilings[row["device"]]) for row in record["rows"]]
