"""NumPy with the lecture's hand derivation: what one writes without a framework."""

from collections.abc import Callable

import numpy as np

from dl_jax.bench.peers.numpy_network import loss_and_grads
from dl_jax.bench.peers.peer import Choice, Peer, Trainer, seconds_of
from dl_jax.bench.peers.problem import (
    BETA_1,
    BETA_2,
    DECAY,
    DROPOUT_RATE,
    EPSILON,
    LEARNING_RATE,
    Params,
    Problem,
)


def load(problem: Problem, variant: str) -> Peer:
    """Return NumPy, which computes on the CPU wherever the others do."""
    del variant
    inputs = problem.batches(problem.dense_inputs())
    targets = problem.batches(problem.targets)

    def build(checked: bool) -> Trainer:
        params, flat = in_one_array(problem.params)
        grads, flat_grads = in_one_array(problem.params)
        update = (rmsprop if problem.workload == "imdb_bow" else adam)(flat)
        rng = np.random.default_rng(0)

        def draw(shape: tuple[int, ...]) -> np.ndarray:
            keep = rng.random(shape, np.float32) >= DROPOUT_RATE
            return keep * np.float32(1 / (1 - DROPOUT_RATE))

        dropout = None if checked or problem.workload != "mnist_cnn" else draw

        def train(steps: int) -> None:
            for x, t in zip(inputs[:steps], targets[:steps], strict=True):
                _, found = loss_and_grads(params, x, t, dropout)
                for name, layer in found.items():
                    for leaf, grad in layer.items():
                        grads[name][leaf][...] = grad
                update(flat_grads)

        return Trainer(
            lambda steps: seconds_of(lambda: train(steps)),
            lambda: loss_and_grads(params, inputs[0], targets[0])[0],
        )

    return Peer(np.__version__, "cpu", [Choice("", build)])


def in_one_array(params: Params) -> tuple[Params, np.ndarray]:
    """Return copies of the parameters as views of one array, and the array.

    An update is then a handful of calls, and not as many for each parameter.
    """
    leaves = [leaf for layer in params.values() for leaf in layer.values()]
    flat = np.concatenate([leaf.ravel() for leaf in leaves])
    ends = np.cumsum([leaf.size for leaf in leaves])[:-1]
    views = iter(np.split(flat, ends))
    return {
        name: {leaf: next(views).reshape(a.shape) for leaf, a in layer.items()}
        for name, layer in params.items()
    }, flat


def adam(params: np.ndarray) -> Callable[[np.ndarray], None]:
    """Return the update `w <- w - lr m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + eps)`, in place."""
    mean, square, count = np.zeros_like(params), np.zeros_like(params), 0

    def update(grads: np.ndarray) -> None:
        nonlocal mean, square, count, params
        count += 1
        mean *= BETA_1
        mean += (1 - BETA_1) * grads
        square *= BETA_2
        square += (1 - BETA_2) * grads * grads
        root = np.sqrt(square / (1 - BETA_2**count))
        root += EPSILON
        params -= (LEARNING_RATE / (1 - BETA_1**count)) * mean / root

    return update


def rmsprop(params: np.ndarray) -> Callable[[np.ndarray], None]:
    """Return the update `w <- w - lr g / sqrt(v + eps)`, in place."""
    square = np.zeros_like(params)

    def update(grads: np.ndarray) -> None:
        nonlocal square, params
        square *= DECAY
        square += (1 - DECAY) * grads * grads
        params -= LEARNING_RATE * grads / np.sqrt(square + EPSILON)

    return update
