"""Many runs as one program: of several keys, and of several hyperparameters."""

from collections.abc import Callable
from functools import partial
from typing import Protocol

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from jaxtyping import Array, Key

from dl_jax.backprop import Network
from dl_jax.losses import Objective
from dl_jax.train.ensemble_calls import After, by_calls, over
from dl_jax.train.fit import Checkpoint
from dl_jax.train.hyperparams import Hyperparams
from dl_jax.train.mesh import put
from dl_jax.train.processes import check_alike, digest
from dl_jax.train.state import TrainState
from dl_jax.train.whole_run import Data, History, Run, Schedule, prepared, whole_run


class Ensemble(Protocol):
    """What `make_ensemble` returns."""

    def __call__(
        self,
        keys: Key[Array, " m"],
        hyperparams: Hyperparams,
        after: After | None = None,
        *,
        start: Checkpoint | None = None,
        checkpoint: Callable[[Checkpoint], None] | None = None,
        checkpoint_every: int | None = None,
    ) -> tuple[TrainState, History]:
        """Train as one program; by calls where something is to be done between them."""
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
    """Return `train(keys, hyperparams)`, which trains member i as the run of key i.

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
        the states and the histories, with a leading axis of members. It is one program; given one
        of these it makes calls of some steps of all members, and is no longer pure:
        `after(epoch, row)`, called behind each epoch with its number, from 1, and what histories
        will have of it, `[m]` each; `checkpoint` and `checkpoint_every`, as of `fit`, whose
        checkpoints have the states and totals of all members, and no history; `start`, one of
        these, from which it goes on to the same end, to the bit on a CPU. The histories then have
        the epochs that ended since.

    Raises:
        ValueError: if data, model and config do not fit each other; by what is returned, for
            hyperparameters that are not data to the optimizer or the model, for states to start
            from that are none of these members, and where processes were called
            with different data, keys or states.
    """
    run = prepared(model, objective, optimizer, data, config, by_hand, None)
    if jax.process_count() > 1:
        check_alike({"data": digest(data), "schedule": str(config)})
    data = put(data, run.mesh, whole=True)
    if loop is None:
        loop = all(device.platform == "cpu" for device in jnp.asarray(data.train.inputs).devices())

    def train(
        keys: Key[Array, " m"],
        hyperparams: Hyperparams,
        after: After | None = None,
        *,
        start: Checkpoint | None = None,
        checkpoint: Callable[[Checkpoint], None] | None = None,
        checkpoint_every: int | None = None,
    ) -> tuple[TrainState, History]:
        if after is None and start is None and checkpoint is None:
            return _members(run, loop, data, keys, hyperparams)
        return by_calls(
            run, loop, data, keys, hyperparams, after=after, start=start, checkpoint=checkpoint,
            checkpoint_every=checkpoint_every,
        )  # fmt: skip

    return train


@partial(jax.jit, static_argnames=("run", "loop"))
def _members(
    run: Run, loop: bool, data: Data, keys: Key[Array, " m"], hyperparams: Hyperparams
) -> tuple[TrainState, History]:
    return over(loop, partial(whole_run, run, data), keys, hyperparams)
