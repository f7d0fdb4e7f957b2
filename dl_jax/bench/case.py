"""A case: what a row of the benchmark is to measure, and the row without its figures."""

from typing import NamedTuple

from dl_jax.bench.devices import JaxDevice
from dl_jax.bench.examples import Source
from dl_jax.bench.record import Row
from dl_jax.bench.variants import ENSEMBLE, RUN
from dl_jax.bench.workloads import Workload, takes_images
from dl_jax.models.precision import Precision


class Case(NamedTuple):
    """What a row is to measure.

    Attributes:
        workload: the network and how it is trained.
        variant: a key of `VARIANTS`.
        precision: of parameters and inputs.
        num_epochs: of a run and of an ensemble.
        members: of an ensemble.
        source: of the data.
        device: where.
        device_name: what it is called.
    """

    workload: Workload
    variant: str
    precision: Precision
    num_epochs: int
    members: int
    source: Source
    device: JaxDevice
    device_name: str

    @property
    def label(self) -> str:
        """What the row is called while it is measured."""
        name = f"{self.variant} of {self.members}" if self.variant == ENSEMBLE else self.variant
        of = f"{self.workload.name} {name}, batch {self.workload.batch_size}"
        return f"{of}, {self.precision}, {self.device_name}"


def blank_row(case: Case) -> Row:
    """Return the row of a case as it is before anything was measured."""
    workload = case.workload
    runs = case.variant in (RUN, ENSEMBLE)
    return {
        "workload": workload.name,
        "variant": case.variant,
        "batch_size": workload.batch_size,
        "precision": case.precision,
        "image_size": workload.inputs.shape[0] if takes_images(workload.name) else None,
        "members": case.members if case.variant == ENSEMBLE else 1,
        "num_epochs": case.num_epochs if runs else None,
        "data": case.source,
        "num_train": workload.num_train,
        "device": case.device_name,
        "status": "failed",
        "note": None,
        "fits": None,
        "num_params": None,
        "work": None,
        "step_counted": {"flops": None, "bytes": None},
        "xla_counted": {"flops": None, "bytes": None},
        "stages": None,
        "dispatch": None,
        "call": None,
        "step": None,
        "noisy": None,
        "memory": None,
        "rates": None,
    }
