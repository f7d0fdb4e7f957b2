"""How a run begins: its state and random streams, and its programs, each compiled ahead."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import jax
import numpy as np
from jax.stages import Lowered, Traced
from jaxtyping import Array, Key, Shaped

from dl_jax.ops.compile_once import compile_once, default_platform
from dl_jax.train.epoch import epoch_order, train_batches, zero_totals
from dl_jax.train.state import TrainState, init_state, streams
from dl_jax.train.step import evaluate
from dl_jax.train.whole_run import Data, Run


def begin(
    run: Run, data: Data, key: Key[Array, ""], one: Shaped[Array | np.ndarray, "1 ..."]
) -> tuple[TrainState, Key[Array, ""], Key[Array, ""]]:
    """Return the state before the first step, and the random streams `order` and `noise`.

    On one device the programs of the order, of the steps and of the evaluation have been compiled
    by then. Not so for committed arrays, whose programs are others than those of their shapes.

    Args:
        run: the constants of its programs.
        data: on the device.
        key: of the run.
        one: an example as the data set has it.
    """
    start = compile_once(_start, static_argnames=("model", "optimizer"))
    jitted = not jax.config.jax_disable_jit  # pyright: ignore[reportAttributeAccessIssue]
    committed = any(getattr(a, "committed", False) for a in jax.tree.leaves((data, key, one)))
    if run.mesh is None and jitted and not committed:
        _compile_ahead(_programs(run, data, start.trace(run.model, run.optimizer, key, one)))
    return start(run.model, run.optimizer, key, one)


def _start(model, optimizer, key, inputs):
    """All that comes of a key, as one program instead of five."""
    init, order, noise = streams(key)
    return init_state(model, optimizer, init, inputs), order, noise


def _programs(run: Run, data: Data, start: Traced) -> Iterator[Lowered]:
    """The programs of a run, for arguments like those of its first calls."""
    model, objective, optimizer, config, by_hand, _ = run
    train, size = data.train, len(data.train.inputs)
    state, order_key, noise = start.out_info
    yield start.lower()
    ordering = epoch_order.trace(order_key, 0, size)
    yield ordering.lower()
    zeros = partial(zero_totals, model, objective, nonfinite=config.nonfinite)
    totals = jax.eval_shape(zeros, state, train)
    rest = size % config.batch_size
    for length in (config.batch_size, rest)[: 1 + bool(rest)]:
        yield train_batches.lower(
            model, objective, optimizer, state, totals, train, ordering.out_info, noise, 0, 0,
            batch_size=length, by_hand=by_hand, mesh=None, nonfinite=config.nonfinite,
        )  # fmt: skip
    if data.validation is not None:
        yield evaluate.lower(model, objective, state, data.validation, mesh=None)


def _compile_ahead(programs: Iterable[Lowered]) -> None:
    """Compile programs, each while the ones behind it are traced.

    A call of the jitted function finds its program compiled if the arguments are like those of
    `lower`. XLA lets go of Python's lock while it compiles. Tracing stays in this thread, since
    `jax.default_device`, `jax.enable_x64` and the like hold in no other; of the compiler's own
    settings those hold that are the process's. A CPU compiles two at a time; elsewhere it is one
    by one: what XLA tries out on a GPU has to be alone there.
    """
    compilers = ThreadPoolExecutor(2 if default_platform() == "cpu" else 1)
    try:
        for job in [compilers.submit(program.compile) for program in programs]:
            job.result()
    finally:
        compilers.shutdown(wait=False, cancel_futures=True)
