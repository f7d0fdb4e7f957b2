"""All rows of a benchmark, one after the other, with the devices' ceilings and the peers."""

from collections.abc import Callable, Sequence
from typing import Any

from dl_jax.bench.case import Case
from dl_jax.bench.ceilings import best_of, measure_ceilings
from dl_jax.bench.examples import make_data
from dl_jax.bench.interrupt import held_back
from dl_jax.bench.measure import measure_row
from dl_jax.bench.rates import with_rates
from dl_jax.bench.record import Record
from dl_jax.bench.workloads import LECTURE
from dl_jax.models.precision import Precision
from dl_jax.train import Data


def measure_all(
    cases: Sequence[Case],
    record: Record,
    *,
    repeats: int,
    peers: bool,
    keep: Callable[[], None],
    show: Callable[[str], None],
) -> None:
    """Add devices, rows and peers to the record as they are measured.

    Args:
        cases: a row each.
        record: to which they are added.
        repeats: samples of a step; turns with a peer.
        peers: whether to measure the peers of the cases' workloads as well.
        keep: called after each row, so that an interrupted benchmark has some.
        show: told what is being done.
    """
    with held_back(show) as stage:
        _measure_rows(cases, repeats, record, keep, stage)
    if peers:
        from dl_jax.bench.peers import run_peers

        def add(row: dict[str, Any]) -> None:
            record["peers"].append(row)
            keep()

        names = [name for name in LECTURE if any(case.workload.name == name for case in cases)]
        run_peers(names, rounds=repeats, data=cases[0].source, show=show, keep=add)


def _measure_rows(
    cases: Sequence[Case],
    repeats: int,
    record: Record,
    keep: Callable[[], None],
    show: Callable[[str], None],
) -> None:
    devices = {case.device_name: case.device for case in cases}
    precisions: list[Precision] = list(dict.fromkeys(case.precision for case in cases))
    made: dict[tuple[object, ...], Data] = {}

    def data_of(case: Case) -> Data:
        workload = case.workload
        key = workload.name, workload.inputs.shape, workload.num_train  # batches do not matter
        if key not in made:
            made.clear()  # one set at a time is enough
            show(f"{workload.name}: making the data")
            made[key] = make_data(workload, case.source)
        return made[key]

    if cases[0].source == "real":  # what is not to be had ends it here, with nothing measured yet
        for case in {case.workload.name: case for case in cases}.values():
            data_of(case)
    for name, device in devices.items():
        ceilings = measure_ceilings(device, precisions, _prefixed(name, show))
        record["devices"].append(
            {"name": name, "platform": device.platform, "kind": device.device_kind,
             "ceilings": ceilings}
        )  # fmt: skip
    for number, case in enumerate(cases, start=1):
        label = f"{number}/{len(cases)} {case.label}"
        show(label)
        row = measure_row(case, data_of(case), repeats=repeats, show=_prefixed(label, show))
        record["rows"].append(row)
        _rate(record)
        keep()
    for device in record["devices"]:  # other work on the machine may have been in the way before
        name = device["name"]
        again = measure_ceilings(devices[name], precisions, _prefixed(name, show))
        device["ceilings"] = best_of(device["ceilings"], again)
    _rate(record)


def _prefixed(label: str, show: Callable[[str], None]) -> Callable[[str], None]:
    return lambda text: show(f"{label}: {text}")


def _rate(record: Record) -> None:
    ceilings = {device["name"]: device["ceilings"] for device in record["devices"]}
    record["rows"] = [with_rates(row, ceilings[row["device"]]) for row in record["rows"]]
