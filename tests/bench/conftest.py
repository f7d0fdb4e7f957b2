"""Rows and records as a benchmark has them, without measuring; and a device of small ceilings."""

from collections.abc import Callable
from typing import Any

import pytest

from dl_jax.bench.ceilings import Ceilings
from dl_jax.bench.rates import with_rates
from dl_jax.bench.record import Record, Row

CEILINGS: Ceilings = {
    "matmul": {"float32": {"rate": 100e9, "size": 2048}},
    "copy": {"rate": 20e9, "size": 2**28},
}
PEER = {
    "workload": "mnist_cnn", "peer": "torch", "version": "2.13", "baseline": "dl_jax",
    "ours_seconds": {"n": 5, "median": 0.02, "q1": 0.019, "q3": 0.021},
    "seconds": {"n": 5, "median": 0.05, "q1": 0.049, "q3": 0.051},
    "ratio": {"n": 5, "median": 2.5, "q1": 2.2, "q3": 2.6},
    "unit": "step", "loss_ours": 0.1, "loss_peer": 0.1, "note": "two threads", "missing": None,
}  # fmt: skip
NOTHING = {**PEER, "version": None, "ours_seconds": None, "seconds": None, "ratio": None}
OTHER = {**NOTHING, "peer": "numpy", "note": "ends elsewhere"}
ABSENT = {**NOTHING, "peer": "pytensor", "note": None, "missing": "not installed"}
"""Rows of peers: one that was measured, one that computes something else, one that is not there."""


@pytest.fixture
def make_row() -> Callable[..., Row]:
    def make(step: float | None = 0.027, spread: float = 0.02, **changes: Any) -> Row:
        timing = step and {
            "n": 9, "median": step, "q1": step * (1 - spread), "q3": step * (1 + spread),
        }  # fmt: skip
        row: Any = {
            "workload": "mnist_cnn",
            "variant": "step",
            "batch_size": 128,
            "precision": "float32",
            "image_size": 28,
            "members": 1,
            "num_epochs": None,
            "data": "synthetic",
            "num_train": 54_000,
            "device": "cpu:0",
            "status": "measured",
            "note": None,
            "fits": None,
            "num_params": 34_826,
            "work": {"steps": 1, "examples": 128, "updates": 1, "evaluated": 0},
            "step_counted": {"flops": 1.825e9, "bytes": 38e6},
            "xla_counted": {"flops": 1.89e9, "bytes": 270e6},
            "stages": {"trace": 0.2, "lower": 0.1, "compile": 1.5, "first_run": 0.05},
            "dispatch": {"n": 9, "median": 4e-4, "q1": 3e-4, "q3": 5e-4},
            "call": timing,
            "step": timing,
            "noisy": spread > 0.075,
            "memory": {"bytes": 57_000_000, "source": "program"},
            "rates": None,
        }
        row.update(changes)
        return with_rates(row, CEILINGS)

    return make


@pytest.fixture
def make_record(make_row) -> Callable[..., Record]:
    def make(*rows: Row, **changes: Any) -> Record:
        record: Any = {
            "format": "dl_jax benchmark",
            "version": 1,
            "status": "finished",
            "command": "dl-jax bench mnist_cnn",
            "date": "2025-01-01T00:00:00+00:00",
            "environment": {
                "cpu": "Some CPU",
                "cores": 2,
                "packages": {"jax": "0.10.2", "dl-jax": "0.1.0"},
                "default_matmul_precision": "default",
            },
            "devices": [{"name": "cpu:0", "platform": "cpu", "kind": "cpu", "ceilings": CEILINGS}],
            "rows": list(rows) or [make_row()],
            "peers": [],
        }
        record.update(changes)
        return record

    return make


@pytest.fixture
def small_ceilings(monkeypatch):
    """Ceilings that are measured in no time."""
    monkeypatch.setattr("dl_jax.bench.ceilings._SIZES", (32,))
    monkeypatch.setattr("dl_jax.bench.ceilings._COPIED", (32, 32))
    monkeypatch.setattr("dl_jax.bench.ceilings._REPEATS", 1)
    monkeypatch.setattr("dl_jax.bench.clock._SAMPLE_SECONDS", 1e-4)
