"""A row of the benchmark: one workload in one variant on one device."""

import gc
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from dl_jax.bench.case import Case, blank_row
from dl_jax.bench.clock import (
    FEWEST,
    dispatch_seconds,
    is_noisy,
    quartiles,
    scaled,
    seconds_of,
    steady_seconds,
)
from dl_jax.bench.cost import Cost, bytes_of, cost_of, flops_of, xla_cost
from dl_jax.bench.examples import mean_words
from dl_jax.bench.memory import device_peak, peak_memory
from dl_jax.bench.record import Row
from dl_jax.bench.stages import Built, build
from dl_jax.bench.variants import EAGER, VARIANTS, Program, Setting
from dl_jax.models.precision import in_precision
from dl_jax.train import Data

Show = Callable[[str], None]


def measure_row(case: Case, data: Data, *, repeats: int, show: Show = lambda text: None) -> Row:
    """Return the row of a case.

    A device that runs out of memory, or refuses the program, makes a row that says so; after the
    former smaller batches are tried, each half as large, until one fits.

    Args:
        case: what to measure.
        data: the examples of its workload, in NumPy's arrays.
        repeats: samples of a step.
        show: told what is being done.
    """
    row: Any = blank_row(case)
    with jax.default_device(case.device), in_precision(case.precision):
        error = _attempt(lambda: row.update(_measured(case, data, repeats, show)))
        if error is None:
            return row
        row["status"], row["note"] = "failed", error
        if _is_out_of_memory(error):
            row["status"], row["fits"] = "out of memory", _largest_that_fits(case, data, show)
    return row


def _attempt(call: Callable[[], Any]) -> str | None:
    """What JAX says if the call fails. The error itself would keep what fills the memory."""
    try:
        call()
    except jax.errors.JaxRuntimeError as error:
        said = str(error)
    else:
        return None
    gc.collect()
    return said


def _is_out_of_memory(said: str) -> bool:
    return "RESOURCE_EXHAUSTED" in said or "out of memory" in said.lower()


def _largest_that_fits(case: Case, data: Data, show: Show) -> int | None:
    batch_size = case.workload.batch_size // 2
    while batch_size:
        show(f"out of memory, trying batch {batch_size}")
        smaller = case._replace(workload=case.workload._replace(batch_size=batch_size))
        said = _attempt(lambda smaller=smaller: _runs(smaller, data, show))
        if said is None:
            return batch_size
        if not _is_out_of_memory(said):
            return None
        batch_size //= 2
    return None


def _runs(case: Case, data: Data, show: Show) -> None:
    *_, call = _ready(case, data, show)
    for _ in range(FEWEST):
        seconds_of(call)


def _ready(case: Case, data: Data, show: Show) -> tuple[Program, Built | None, Callable[[], Any]]:
    """The program, what was built of it if it is compiled, and what makes its next call."""
    on_device = jax.device_put(data, case.device)
    setting = Setting(case.workload, on_device, case.precision, case.num_epochs, case.members)
    program = VARIANTS[case.variant](setting)
    built = None if case.variant == EAGER else build(program, show)
    function = built.compiled if built else program.function
    fixed, carry = built.fixed if built else program.fixed, program.carry

    def call() -> Any:
        nonlocal carry
        carry, results = function(carry, *fixed)
        return carry, results

    return program, built, call


def _measured(case: Case, data: Data, repeats: int, show: Show) -> dict[str, Any]:
    before = device_peak(case.device)
    program, built, call = _ready(case, data, show)
    show("first run")
    first_run = seconds_of(call)
    samples = steady_seconds(call, repeats=repeats, about=first_run, show=show)
    whole = quartiles(samples)
    about = whole["median"]
    dispatch = quartiles(dispatch_seconds(call, repeats=repeats, about=about))
    work, cost = program.work, _cost(case, data)
    step = scaled(whole, 1 / work["steps"])
    return {
        "status": "measured",
        "num_params": cost.num_params,
        "work": work,
        "step_counted": {
            "flops": flops_of(cost, work) / work["steps"],
            "bytes": bytes_of(cost, work) / work["steps"],
        },
        "xla_counted": xla_cost(built.compiled) if built else {"flops": None, "bytes": None},
        "stages": {
            "trace": built.trace if built else None,
            "lower": built.lower if built else None,
            "compile": built.compile if built else None,
            "first_run": first_run,
        },
        "dispatch": dispatch,
        "call": whole,
        "step": step,
        "noisy": is_noisy(step),
        "memory": peak_memory(before, device_peak(case.device), built and built.compiled),
    }


def _cost(case: Case, data: Data) -> Cost:
    workload, inputs = case.workload, case.workload.inputs
    examples = data.train
    stored = examples.inputs[:1].nbytes + examples.targets[:1].nbytes
    if jnp.issubdtype(inputs.dtype, jnp.integer):
        words = mean_words(np.asarray(examples.inputs))  # its padding is no work
        stored = words * examples.inputs.dtype.itemsize + examples.targets[:1].nbytes
        inputs = jax.ShapeDtypeStruct((words,), inputs.dtype)
    itemsize = jnp.dtype(case.precision).itemsize
    return cost_of(workload.model, inputs, stored, workload.optimizer, itemsize)
