"""Many runs as one program: of several keys, and of several hyperparameters."""

from collections.abc import Callable
from functools import partial

import jax
import optax
from flax import linen as nn
from jax import lax
from jax.sharding import Mesh
from jaxtyping import Array, Key

from dl_jax.backprop import Network
from dl_jax.losses import Objective
from dl_jax.train.hyperparams import Hyperparams
from dl_jax.train.mesh import default_mesh, put
from dl_jax.train.state import TrainState
from dl_jax.train.whole_run import Data, History, Schedule, make_train, whole_run

Ensemble = Callable[[Key[Array, " m"], Hyperparams], tuple[TrainState, History]]


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
    """Return `train(keys, hyperparams) -> (states, histories)`: member i is the run of key i.

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
        A function of keys `[m]` and of hyperparameters by name, `[m]` each; `{}` for none. States
        and histories have a leading axis of members.

    Raises:
        ValueError: if data, model and config do not fit each other; by what is returned, for
            hyperparameters that are not data to the optimizer or the model.
    """
    make_train(model, objective, optimizer, data, config, by_hand)  # for what it refuses
    loop = jax.default_backend() == "cpu" if loop is None else loop
    mesh = default_mesh()
    data = put(data, mesh, whole=True)
    return partial(_members, model, objective, optimizer, config, by_hand, loop, mesh, data)


@partial(
    jax.jit,
    static_argnames=("model", "objective", "optimizer", "config", "by_hand", "loop", "mesh"),
)
def _members(
    model: nn.Module,
    objective: Objective,
    optimizer: optax.GradientTransformation,
    config: Schedule,
    by_hand: Network | None,
    loop: bool,
    mesh: Mesh | None,
    data: Data,
    keys: Key[Array, " m"],
    hyperparams: Hyperparams,
) -> tuple[TrainState, History]:
    train = partial(whole_run, model, objective, optimizer, config, by_hand, mesh, data)
    if loop:
        return lax.map(lambda member: train(*member), (keys, hyperparams))
    return jax.vmap(train)(keys, hyperparams)
