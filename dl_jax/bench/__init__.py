"""The benchmark: what training costs on a device, of what it could cost, and how machines compare.

`dl-jax bench` and `dl-jax compare` are made of these parts. Each is imported when it is first used:
the processes of other frameworks (`peers`) go through here and should not hold JAX as well.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dl_jax.bench.case import Case
    from dl_jax.bench.ceilings import measure_ceilings
    from dl_jax.bench.clock import Timing, is_noisy, quartiles
    from dl_jax.bench.compare import compare_columns
    from dl_jax.bench.cost import Cost, Optimizer, cost_of
    from dl_jax.bench.devices import choose_devices
    from dl_jax.bench.examples import make_data
    from dl_jax.bench.measure import measure_row
    from dl_jax.bench.rates import with_rates
    from dl_jax.bench.record import Record, Row
    from dl_jax.bench.record_file import read_record, write_record
    from dl_jax.bench.same_work import Column
    from dl_jax.bench.variants import VARIANTS
    from dl_jax.bench.workloads import LECTURE, Workload, make_workload

_PARTS = {
    "case": ("Case",),
    "ceilings": ("measure_ceilings",),
    "clock": ("Timing", "is_noisy", "quartiles"),
    "compare": ("compare_columns",),
    "cost": ("Cost", "Optimizer", "cost_of"),
    "devices": ("choose_devices",),
    "examples": ("make_data",),
    "measure": ("measure_row",),
    "rates": ("with_rates",),
    "record": ("Record", "Row"),
    "record_file": ("read_record", "write_record"),
    "same_work": ("Column",),
    "variants": ("VARIANTS",),
    "workloads": ("LECTURE", "Workload", "make_workload"),
}
_PLACES = {name: part for part, names in _PARTS.items() for name in names}

__all__ = [
    "LECTURE",
    "VARIANTS",
    "Case",
    "Column",
    "Cost",
    "Optimizer",
    "Record",
    "Row",
    "Timing",
    "Workload",
    "choose_devices",
    "compare_columns",
    "cost_of",
    "is_noisy",
    "make_data",
    "make_workload",
    "measure_ceilings",
    "measure_row",
    "quartiles",
    "read_record",
    "with_rates",
    "write_record",
]


def __getattr__(name: str):
    if name in _PLACES:
        return getattr(import_module(f"dl_jax.bench.{_PLACES[name]}"), name)
    raise AttributeError(f"module 'dl_jax.bench' has no attribute {name!r}")
