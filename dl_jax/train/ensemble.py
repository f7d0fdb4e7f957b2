"""Many runs as one program: of several keys, and of several hyperparameters."""

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from jax import lax
from jaxtyping import Array, Key

from dl_jax.backprop import Network
from dl_jax.losses import Objective
from dl_jax.train.checks import check_start, epochs_of
from dl_jax.train.hyperparams import Hyperparams
from dl_jax.train.mesh import copied, put
from dl_jax.train.processes import check_alike, digest
from dl_jax.train.state import TrainState
from dl_jax.train.step import Metrics
from dl_jax.train.whole_run import (
    Data,
    History,
    Run,
    Schedule,
    first_state,
    one_epoch,
    prepared,
    whole_run,
)

After = Callable[[int, Metrics, TrainState], None]


class Ensemble(Protocol):
    """What `make_ensemble` returns."""

    def __call__(
        self,
        keys: Key[Array, " m"],
        hyperparams: Hyperparams,
        after: After | None = None,
        start: TrainState | None = None,
    ) -> tuple[TrainState, History]:
        """Train as one program; with `after` or from a `start`, an epoch is a program."""
        ...


def make_ensemble(
    model: nn.Module,
    objective: Objective,
    optimizer: optax.GradientTransformation,
    data: Data,
    config: Schedule,
    by_hand: Network | None = None,
    *,
    loop: bool | None = None,
) -> Ensemble:
    """Return `train(keys, hyperparams, after=None, start=None)`, member i the run of key i.

    All members are one compiled program. Each has its own parameters, order of the examples and
    dropout, and the values of the hyperparameters at its place; so it is the run that `make_train`
    gives for them, to rounding, and with a loop over members to the bit where nothing is swept.

    Args:
        model: a Flax module.
        objective: what is minimised.
        optimizer: an optax optimizer, by `optax.inject_hyperparams` if its floats are to differ.
        data: for training and, if any, validation; the members share it.
        config: epochs and batch size.
        by_hand: as in `train_step`.
        loop: whether members come one after the other (`lax.map`) or step together (`vmap`).
            Unless given, they loop on a CPU, where each is to the bit the run alone and steps of
            all at once are slower for all but small networks (docs/performance.md), and step
            together elsewhere, where one member does not fill the device.

    Returns:
        A pure function of keys `[m]` and of hyperparameters by name, `[m]` each, `{}` for none:
        the states and the histories, with a leading axis of members. It is one program; given
        `after(epoch, row, states)`, an epoch of all members is one, and behind each `after` is
        called, on the host, with its number, from 1, what histories will have of it, `[m]` each,
        and the states, whose memory the next epoch takes. From `start`, states that `after` was
        given, it goes on to the same end, to the bit on a CPU; the histories have what is left.

    Raises:
        ValueError: if data, model and config do not fit each other; by what is returned, for
            hyperparameters that are not data to the optimizer or the model, for states to start
            from that are none of these members behind an epoch, and where processes were called
            with different data, keys or states.
    """
    run = prepared(model, objective, optimizer, data, config, by_hand, None)
    if jax.process_count() > 1:
        check_alike({"data": digest(data), "schedule": str(config)})
    data = put(data, run.mesh, whole=True)
    if loop is None:
        loop = all(device.platform == "cpu" for device in jnp.asarray(data.train.inputs).devices())

    steps = -(-len(data.train.inputs) // config.batch_size)

    def train(
        keys: Key[Array, " m"],
        hyperparams: Hyperparams,
        after: After | None = None,
        start: TrainState | None = None,
    ) -> tuple[TrainState, History]:
        if after is None and start is None:
            return _members(run, loop, data, keys, hyperparams)
        if jax.process_count() > 1:
            given = {"keys": keys, "hyperparams": hyperparams, "start": start}
            check_alike({name: digest(tree) for name, tree in given.items()})
        first = partial(_first_states, run, loop, data)
        if start is None:
            states, done = first(keys, hyperparams), 0
        else:
            check_start(jax.eval_shape(first, keys, hyperparams), start)
            states, done = copied(start), epochs_of(start, steps)
        states = put(states, run.mesh)  # as an epoch leaves them: the next one is the same program
        rows = []
        for number in range(done, config.num_epochs):
            states, row = _one_epoch(run, loop, data, keys, states, number)
            rows.append(jax.device_get(row))
            if after is not None:
                after(number + 1, rows[-1], states)
        return states, jax.tree.map(lambda *values: jnp.stack(values, axis=1), *rows or [{}])

    return train


@partial(jax.jit, static_argnames=("run", "loop"))
def _members(
    run: Run, loop: bool, data: Data, keys: Key[Array, " m"], hyperparams: Hyperparams
) -> tuple[TrainState, History]:
    return _over(loop, partial(whole_run, run, data), keys, hyperparams)


@partial(jax.jit, static_argnames=("run", "loop"))
def _first_states(
    run: Run, loop: bool, data: Data, keys: Key[Array, " m"], hyperparams: Hyperparams
) -> TrainState:
    return _over(loop, partial(first_state, run, data), keys, hyperparams)


@partial(jax.jit, static_argnames=("run", "loop"), donate_argnames="states")
def _one_epoch(
    run: Run, loop: bool, data: Data, keys: Key[Array, " m"], states: TrainState, number: int
) -> tuple[TrainState, Metrics]:
    def epoch(key: Key[Array, ""], state: TrainState) -> tuple[TrainState, Metrics]:
        return one_epoch(run, data, key, state, number)

    return _over(loop, epoch, keys, states)


def _over(loop: bool, function: Callable[..., Any], *members: Any) -> Any:
    """The function of each member, one after the other or all at once."""
    if loop:
        return lax.map(lambda member: function(*member), members)
    return jax.vmap(function)(*members)
