"""A row of the benchmark, measured on the smallest network, and what is said when it fails."""

from typing import Any

import jax
import pytest

from dl_jax.bench import measure
from dl_jax.bench.case import Case
from dl_jax.bench.examples import make_data
from dl_jax.bench.measure import measure_row
from dl_jax.bench.rates import with_rates
from dl_jax.bench.record import Row
from dl_jax.bench.workloads import make_workload


@pytest.fixture
def case(small_ceilings) -> Case:
    workload = make_workload("perceptron", batch_size=8)._replace(num_train=20, num_validation=8)
    return Case(workload, "step", "float32", 2, 3, "synthetic", jax.devices()[0], "cpu:0")


def row_of(case: Case, **options) -> Any:
    return measure_row(case, make_data(case.workload, "synthetic"), repeats=3, **options)


def test_a_compiled_row_has_everything(case):
    said = []
    row = row_of(case, show=said.append)
    assert row.keys() == Row.__annotations__.keys()
    assert (row["status"], row["note"], row["fits"]) == ("measured", None, None)
    assert (row["num_params"], row["image_size"], row["num_epochs"]) == (3, None, None)
    assert row["step_counted"]["flops"] == 8 * 8 + 14 * 3
    xla, stages, memory = row["xla_counted"]["flops"], row["stages"], row["memory"]
    assert xla is not None
    assert xla > 64
    assert stages is not None
    assert all(isinstance(stages[key], float) and stages[key] > 0 for key in stages)
    assert memory is not None
    assert memory["source"] == "program"
    for key in ("dispatch", "call", "step"):
        timing = row[key]
        assert timing["n"] == 3
        assert 0 < timing["q1"] <= timing["median"] <= timing["q3"]
    assert row["call"] == row["step"]
    assert said[:5] == ["tracing", "lowering", "compiling", "first run", "repeat 1 of 3"]


def test_a_step_of_an_ensemble_is_its_share_of_a_call(case):
    row = row_of(case._replace(variant="ensemble"))
    assert (row["members"], row["num_epochs"]) == (3, 2)
    assert row["work"] == {"steps": 5.0, "examples": 120, "updates": 18, "evaluated": 48}
    assert row["step"]["median"] == pytest.approx(row["call"]["median"] / 5)
    assert row["step_counted"]["flops"] == (120 * 8 + 18 * 42 + 48 * 4) / 5


def test_an_eager_row_has_no_stages_but_a_first_run(case, monkeypatch):
    program = measure.VARIANTS["eager"](
        measure.Setting(case.workload, make_data(case.workload, "synthetic"), "float32", 1, 1)
    )
    # Compiled all the same: operation by operation takes seconds.
    compiled = program._replace(function=jax.jit(program.function))
    monkeypatch.setitem(measure.VARIANTS, "eager", lambda setting: compiled)
    row = row_of(case._replace(variant="eager"))
    assert row["status"] == "measured"
    first_run = row["stages"].pop("first_run")
    assert first_run > 0
    assert row["stages"] == {"trace": None, "lower": None, "compile": None}
    assert row["xla_counted"] == {"flops": None, "bytes": None}
    assert row["memory"] is None


def refuse(monkeypatch, fits, message="RESOURCE_EXHAUSTED: Out of memory allocating 1 bytes."):
    """A device that takes batches up to a size."""
    step, tried = measure.VARIANTS["step"], []

    def make(setting):
        tried.append(setting.workload.batch_size)
        if tried[-1] > fits:
            raise jax.errors.JaxRuntimeError(message)
        return step(setting)

    monkeypatch.setitem(measure.VARIANTS, "step", make)
    return tried


def test_out_of_memory_names_the_largest_half_that_fits_after_trying_it(case, monkeypatch):
    tried, said = refuse(monkeypatch, fits=3), []
    row = row_of(case, show=said.append)
    assert (row["status"], row["fits"], row["step"]) == ("out of memory", 2, None)
    assert tried == [8, 4, 2]
    assert "out of memory, trying batch 4" in said
    assert "first run" not in said


def test_out_of_memory_at_any_batch(case, monkeypatch):
    tried = refuse(monkeypatch, fits=0)
    row = row_of(case)
    assert (row["status"], row["fits"]) == ("out of memory", None)
    assert tried == [8, 4, 2, 1]


def test_what_the_device_does_not_take_fails_with_its_words(case, monkeypatch):
    tried = refuse(monkeypatch, fits=0, message="UNIMPLEMENTED: no such product")
    row = row_of(case)
    assert (row["status"], row["note"]) == ("failed", "UNIMPLEMENTED: no such product")
    assert tried == [8]


def test_a_mistake_of_ours_is_no_row(case, monkeypatch):
    monkeypatch.setitem(measure.VARIANTS, "step", lambda setting: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        row_of(case)


def test_rates_are_shares_of_the_ceilings(make_row):
    ceilings = {
        "matmul": {"float32": {"rate": 100.0, "size": 1}},
        "copy": {"rate": 50.0, "size": 1},
    }
    row = make_row(step=2.0, step_counted={"flops": 120.0, "bytes": 30.0})
    work = {"steps": 4.0, "examples": 800, "updates": 4, "evaluated": 0}
    rates = with_rates({**row, "work": work}, ceilings)["rates"]  # pyright: ignore
    assert rates == {
        "examples_per_second": 100.0,
        "flops_per_second": 60.0,
        "flops_share": 0.6,
        "bytes_per_second": 15.0,
        "bytes_share": 0.3,
        "intensity": 4.0,
        "side": "compute",  # the ridge is at 2
    }
    row["step_counted"] = {"flops": 30.0, "bytes": 30.0}
    assert with_rates(row, ceilings)["rates"]["side"] == "memory"  # pyright: ignore
    unknown = with_rates(row, {"matmul": {}, "copy": None})["rates"]
    assert unknown is not None
    assert (unknown["flops_share"], unknown["bytes_share"], unknown["side"]) == (None,) * 3
    missing = make_row(step_counted={"flops": None, "bytes": None})
    assert with_rates(missing, ceilings)["rates"] is None  # pyright: ignore
