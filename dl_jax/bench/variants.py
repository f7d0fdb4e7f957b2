"""The ways to train: each is a program that makes a step, an epoch, a run or many runs.

    eager     a step, operation by operation, not compiled as a whole
    step      a step, compiled; the loop is Python's
    epoch     all steps of an epoch in one program, the last, shorter batch with them
    run       all epochs in one program, each with its validation
    ensemble  N such runs in one program, with their own parameters and orders: `vmap`

A step gathers its batch from the data on the device and makes an update, in all of them.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from jax import lax

from dl_jax.bench.cost import Work
from dl_jax.bench.workloads import Workload
from dl_jax.models.precision import Precision, with_precision
from dl_jax.ops.compile_once import compile_once
from dl_jax.train import (
    Data,
    Schedule,
    epoch_order,
    init_state,
    make_train,
    streams,
    train_batches,
    train_step,
    zero_totals,
)


class Program(NamedTuple):
    """What is timed: `carry, metrics = function(carry, *fixed)`, again and again.

    Attributes:
        function: one call.
        carry: what the first call gets; the next ones get what the last one returned.
        fixed: the other arguments, the same in each call.
        donated: whether a call may overwrite the carry that it gets.
        closed: whether the function has its data within, and no other argument than the carry.
        work: what one call does.
    """

    function: Callable[..., tuple[Any, Any]]
    carry: Any
    fixed: tuple[Any, ...]
    donated: bool
    closed: bool
    work: Work


class Setting(NamedTuple):
    """What a variant makes its program from.

    Attributes:
        workload: the network and how it is trained.
        data: on the device.
        precision: of parameters and inputs.
        num_epochs: of a run.
        members: of an ensemble.
    """

    workload: Workload
    data: Data
    precision: Precision
    num_epochs: int
    members: int


def _step(setting: Setting) -> Program:
    workload = setting.workload
    model = with_precision(workload.model, setting.precision)
    optimizer = workload.optimizer.transformation
    size, batch_size = workload.num_train, workload.batch_size
    init, order_key, noise = streams(jax.random.key(0))
    start = compile_once(init_state, static_argnames=("model", "optimizer"))
    state = start(model, optimizer, init, setting.data.train.inputs[:1])

    def step(state, examples, order, noise):
        first = state.step % (size // batch_size) * batch_size
        index = lax.dynamic_slice(order, (first,), (batch_size,))
        batch = jax.tree.map(lambda a: a[index], examples)
        return train_step(model, workload.objective, optimizer, state, batch, noise)

    fixed = setting.data.train, epoch_order(order_key, 0, size), noise
    work: Work = {"steps": 1, "examples": batch_size, "updates": 1, "evaluated": 0}
    return Program(step, state, fixed, True, False, work)


def _epoch(setting: Setting) -> Program:
    workload = setting.workload
    model = with_precision(workload.model, setting.precision)
    objective, optimizer = workload.objective, workload.optimizer.transformation
    size, batch_size = workload.num_train, workload.batch_size
    whole, rest = divmod(size, batch_size)
    _, order_key, noise = streams(jax.random.key(0))

    def epoch(state, examples, order_key, noise):
        order = epoch_order(order_key, state.step // (whole + (rest > 0)), size)
        carry = state, zero_totals(model, objective, state, examples)
        pieces = [(0, whole, batch_size), (size - rest, 1, rest)]
        for first, count, length in pieces[: 1 + (rest > 0)]:
            carry = train_batches(
                model, objective, optimizer, *carry, examples, order, noise, first, count,
                batch_size=length,
            )  # fmt: skip
        return carry

    fixed = setting.data.train, order_key, noise
    start = _step(setting).carry
    return Program(epoch, start, fixed, True, False, _work(setting, epochs=1))


def _run(setting: Setting) -> Program:
    train, work = _train(setting)
    return _of_keys(train, jax.random.key(0), work)


def _ensemble(setting: Setting) -> Program:
    train, work = _train(setting)
    keys, members = jax.random.split(jax.random.key(0), setting.members), setting.members
    work = Work(
        steps=work["steps"],  # a step is one of all members
        examples=members * work["examples"],
        updates=members * work["updates"],
        evaluated=members * work["evaluated"],
    )
    return _of_keys(jax.vmap(train), keys, work)


def _train(setting: Setting) -> tuple[Callable[[jax.Array], Any], Work]:
    workload = setting.workload
    train = make_train(
        with_precision(workload.model, setting.precision),
        workload.objective,
        workload.optimizer.transformation,
        setting.data,
        Schedule(setting.num_epochs, workload.batch_size),
    )
    work = _work(setting, epochs=setting.num_epochs)
    work["evaluated"] = setting.num_epochs * workload.num_validation
    return train, work


def _of_keys(train: Callable[[jax.Array], Any], keys: jax.Array, work: Work) -> Program:
    return Program(lambda keys: (keys, train(keys)), keys, (), False, True, work)


def _work(setting: Setting, epochs: int) -> Work:
    size, batch_size = setting.workload.num_train, setting.workload.batch_size
    return {
        "steps": epochs * size / batch_size,
        "examples": epochs * size,
        "updates": epochs * -(-size // batch_size),
        "evaluated": 0,
    }


VARIANTS: dict[str, Callable[[Setting], Program]] = {
    "eager": _step,
    "step": _step,
    "epoch": _epoch,
    "run": _run,
    "ensemble": _ensemble,
}
EAGER, RUN, ENSEMBLE = "eager", "run", "ensemble"
