"""This project: what `dl_jax.train.fit` compiles, without its progress bar."""

from importlib.metadata import version

import jax
import jax.numpy as jnp
import numpy as np
import optax

from dl_jax.bench.peers.peer import Choice, Peer, Trainer, seconds_of
from dl_jax.bench.peers.problem import (
    BETA_1,
    BETA_2,
    DECAY,
    EPSILON,
    LEARNING_RATE,
    Problem,
)
from dl_jax.losses import BINARY, MULTICLASS
from dl_jax.models import create
from dl_jax.train import (
    Examples,
    TrainState,
    epoch_order,
    evaluate,
    streams,
    train_batches,
    zero_totals,
)
from dl_jax.train.gpu_graphs import convolutions_in_graphs


def load(problem: Problem, variant: str) -> Peer:
    """Return this project as a peer of the others.

    When it is timed, each run draws the order of all examples and gathers its batches by it; the
    peers take theirs as they lie.
    """
    del variant
    inputs = problem.inputs
    if (
        problem.workload == "imdb_bow"
    ):  # whole rows for ops.bag_of_words, as the experiment has them
        inputs = np.pad(inputs, ((0, 0), (0, -inputs.shape[1] % 32)))
    with convolutions_in_graphs():  # as the command lines have it; it finds the devices
        examples = jax.device_put(Examples(inputs, problem.targets))
    optimizer = optax.adam(LEARNING_RATE, BETA_1, BETA_2, eps=EPSILON)
    if problem.workload == "imdb_bow":
        optimizer = optax.rmsprop(LEARNING_RATE, decay=DECAY, eps=EPSILON)

    def build(checked: bool) -> Trainer:
        return _trainer(problem, examples, optimizer, checked)

    note = "draws the order of all examples for each run, and keeps loss and accuracy"
    if jax.default_backend() == "gpu":
        note += "; convolutions in CUDA graphs"
    return Peer(
        version("dl-jax"),
        jax.default_backend(),
        [Choice("", build)],
        note,
        references={"keras_adam": lambda: _trainer(problem, examples, _keras_adam(), True)},
    )


def _keras_adam() -> optax.GradientTransformation:
    """Adam that divides m by `sqrt(v) + eps` before the bias correction, as Keras has it.

    That is Adam with epsilon over the root of `1 - b2^t`.
    """

    def epsilon(count: jax.Array) -> jax.Array:
        return EPSILON / jnp.sqrt(1 - BETA_2 ** (count + 1))

    others = ("learning_rate", "b1", "b2", "eps_root")  # as arrays they would be float32
    adam = optax.inject_hyperparams(optax.adam, static_args=others)
    return adam(LEARNING_RATE, BETA_1, BETA_2, eps=epsilon)


def _trainer(
    problem: Problem, examples: Examples, optimizer: optax.GradientTransformation, checked: bool
) -> Trainer:
    without_dropout = checked and problem.workload == "mnist_cnn"
    model = create(problem.workload, **({"dropout_rate": 0.0} if without_dropout else {}))
    objective = BINARY if problem.workload == "imdb_bow" else MULTICLASS

    params = jax.tree.map(jnp.asarray, problem.params)
    state = TrainState(jnp.zeros((), jnp.int32), params, {}, optimizer.init(params))
    zeros = zero_totals(model, objective, state, examples)
    size, batch_size = len(problem.targets), problem.batch_size
    keys, epoch = streams(jax.random.key(0)), 0

    def run(steps: int) -> None:
        nonlocal state, epoch
        order = jnp.arange(size) if checked else epoch_order(keys.order, epoch, size)
        totals, epoch = jax.tree.map(jnp.copy, zeros), epoch + 1
        whole = min(steps, size // batch_size)
        parts = [(0, whole, batch_size)]
        if steps > whole:
            parts.append((whole * batch_size, 1, size - whole * batch_size))
        for first, count, batch in parts:
            state, totals = train_batches(
                model, objective, optimizer, state, totals, examples, order, keys.noise,
                first, count, batch_size=batch,
            )  # fmt: skip
        jax.block_until_ready((state, totals))

    first = jax.tree.map(lambda a: a[:batch_size], examples)
    return Trainer(
        lambda steps: seconds_of(lambda: run(steps)),
        lambda: float(evaluate(model, objective, state, first)["loss"]),
    )
