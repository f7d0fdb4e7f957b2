"""An ensemble by calls of compiled programs, between which it can be kept, stopped and gone on."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Int, Key

from dl_jax.train.checks import check_start, check_totals, steps_of
from dl_jax.train.epoch import epoch_order, zero_totals
from dl_jax.train.fit import Checkpoint
from dl_jax.train.hyperparams import Hyperparams
from dl_jax.train.mesh import copied, put
from dl_jax.train.pieces import steps_a_call
from dl_jax.train.processes import check_alike, digest
from dl_jax.train.state import Examples, TrainState, streams
from dl_jax.train.step import Metrics
from dl_jax.train.whole_run import Data, History, Run, first_state, row_of, some_steps

After = Callable[[int, Metrics], None]


def by_calls(
    run: Run,
    loop: bool,
    data: Data,
    keys: Key[Array, " m"],
    hyperparams: Hyperparams,
    *,
    after: After | None,
    start: Checkpoint | None,
    checkpoint: Callable[[Checkpoint], None] | None,
    checkpoint_every: int | None,
) -> tuple[TrainState, History]:
    """Train all members, twenty calls an epoch, as `make_ensemble` says of its function.

    Args:
        run: what is constant.
        loop: whether members come one after the other.
        data: on the devices.
        keys: a run's key each.
        hyperparams: by name, `[m]` each.
        after: called behind each epoch.
        start: from where to go on.
        checkpoint: called between calls.
        checkpoint_every: steps, behind each multiple of which it is called too.

    Raises:
        ValueError: if the start is none of these members', or processes were called with others.
    """
    if jax.process_count() > 1:
        given = {"keys": keys, "hyperparams": hyperparams, "start": start and start[:2]}
        check_alike({name: digest(tree) for name, tree in given.items()})
    size, batch_size = len(data.train.inputs), run.config.batch_size
    whole, rest = divmod(size, batch_size)
    steps = whole + bool(rest)
    first = partial(_first_states, run, loop, data)
    if start is None:
        start = Checkpoint(first(keys, hyperparams))
        states, made = start.state, 0
    else:
        check_start(jax.eval_shape(first, keys, hyperparams), start.state)
        states, made = copied(start.state), steps_of(start.state)
        check_totals(made % steps, start.totals, run.config.nonfinite)
    zeros = _zeros(run, data, states)
    # As a call leaves them, so that each call is the same program.
    states, zeros, begun = put((states, zeros, start.totals), run.mesh)
    rows = []
    for epoch in range(made // steps, run.config.num_epochs):
        order = _orders(loop, size, keys, epoch)
        step = made % steps
        totals = copied(zeros | {k: v for k, v in begun.items() if k in zeros} if step else zeros)
        while step < steps:
            count = steps_a_call(step, whole, epoch * steps, checkpoint_every)
            count, length = (count, batch_size) if count else (1, rest)
            states, totals = _some_steps(
                run, loop, length, data.train, keys, order, states, totals, step * batch_size, count
            )
            step, made = step + count, made + count
            jax.block_until_ready(totals)
            if checkpoint is not None and step < steps:
                checkpoint(Checkpoint(states, totals))
        rows.append(jax.device_get(_rows(run, loop, data, states, totals)))
        if after is not None:
            after(epoch + 1, rows[-1])
        if checkpoint is not None:
            checkpoint(Checkpoint(states))
    return states, jax.tree.map(lambda *values: jnp.stack(values, axis=1), *rows or [{}])


def over(loop: bool, function: Callable[..., Any], *members: Any) -> Any:
    """The function of each member, one after the other or all at once."""
    if loop:
        return lax.map(lambda member: function(*member), members)
    return jax.vmap(function)(*members)


def _zeros(run: Run, data: Data, states: TrainState) -> Metrics:
    """Totals of no examples, of each member."""
    one = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape[1:], a.dtype), states)
    zeros = zero_totals(run.model, run.objective, one, data.train, run.config.nonfinite)
    return jax.tree.map(lambda a: jnp.zeros((len(states.step), *a.shape), a.dtype), zeros)


@partial(jax.jit, static_argnames=("run", "loop"))
def _first_states(
    run: Run, loop: bool, data: Data, keys: Key[Array, " m"], hyperparams: Hyperparams
) -> TrainState:
    return over(loop, partial(first_state, run, data), keys, hyperparams)


@partial(jax.jit, static_argnames=("loop", "size"))
def _orders(
    loop: bool, size: int, keys: Key[Array, " m"], epoch: Int[Array, ""] | int
) -> Int[Array, "m n"]:
    return over(loop, lambda key: epoch_order(streams(key).order, epoch, size), keys)


@partial(jax.jit, static_argnames=("run", "loop", "length"), donate_argnames=("states", "totals"))
def _some_steps(
    run: Run,
    loop: bool,
    length: int,
    examples: Examples,
    keys: Key[Array, " m"],
    order: Int[Array, "m n"],
    states: TrainState,
    totals: Metrics,
    first: Int[Array, ""] | int,
    count: Int[Array, ""] | int,
) -> tuple[TrainState, Metrics]:
    def steps(key, order, state, totals):
        noise = streams(key).noise
        return some_steps(run, state, totals, examples, order, noise, first, count, length)

    return over(loop, steps, keys, order, states, totals)


@partial(jax.jit, static_argnames=("run", "loop"))
def _rows(run: Run, loop: bool, data: Data, states: TrainState, totals: Metrics) -> Metrics:
    return over(loop, partial(row_of, run, data), states, totals)
