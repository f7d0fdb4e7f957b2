"""Flax, Optax and `jax.lax` as they come, without anything of this project's."""

from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from jax import lax

from dl_jax.bench.peers.peer import Choice, Peer, Trainer, seconds_of
from dl_jax.bench.peers.problem import (
    BETA_1,
    BETA_2,
    DECAY,
    DROPOUT_RATE,
    EPSILON,
    LEARNING_RATE,
    Problem,
)

Carry = tuple[Any, Any, jax.Array]
"""Parameters, the optimizer's state, and the key of the next dropout."""
Batch = tuple[jax.Array, jax.Array]
Step = Callable[[Carry, Batch], Carry]


class CNN(nn.Module):
    """The lecture's network for MNIST with `nn.Conv` and `nn.max_pool`."""

    dropout_rate: float

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """Return the logits of images in 0..1."""
        for features in (32, 64):
            x = nn.relu(nn.Conv(features, (3, 3), padding="VALID")(x))
            x = nn.max_pool(x, (2, 2), (2, 2))
        x = nn.Dropout(self.dropout_rate, deterministic=not train)(x.reshape(len(x), -1))
        return nn.Dense(10)(x)


class Dense(nn.Module):
    """Dense layers with ReLU between: for images, flattened, and for the multi-hot matrix."""

    features: tuple[int, ...]

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """Return the logits."""
        del train
        x = x.reshape(len(x), -1)
        for features in self.features[:-1]:
            x = nn.relu(nn.Dense(features)(x))
        return nn.Dense(self.features[-1])(x)


def load(problem: Problem, variant: str) -> Peer:
    """Return plain Flax: `"flax"`, a jitted step in Python's loop, or `"flax_scan"`, a scan."""
    inputs, targets = problem.dense_inputs(), problem.targets
    make_run = (_scan if variant == "flax_scan" else _loop)(problem, inputs, targets)
    first = jax.device_put((inputs[: problem.batch_size], targets[: problem.batch_size]))

    def build(checked: bool) -> Trainer:
        mean_loss = _mean_loss(problem.workload, 0.0 if checked else DROPOUT_RATE)
        optimizer = optax.adam(LEARNING_RATE, BETA_1, BETA_2, eps=EPSILON)
        if problem.workload == "imdb_bow":
            optimizer = optax.rmsprop(LEARNING_RATE, decay=DECAY, eps=EPSILON)

        def step(carry: Carry, batch: Batch) -> Carry:
            params, opt_state, key = carry
            key, noise = jax.random.split(key)
            grads = jax.grad(mean_loss)(params, batch, noise)
            updates, opt_state = optimizer.update(grads, opt_state, params)
            return optax.apply_updates(params, updates), opt_state, key

        run = make_run(step)
        params = jax.tree.map(jnp.asarray, problem.params)
        carry: Carry = (params, optimizer.init(params), jax.random.key(0))

        def train(steps: int) -> None:
            nonlocal carry
            carry = jax.block_until_ready(run(carry, steps))

        loss = jax.jit(partial(mean_loss, noise=None))
        return Trainer(
            lambda steps: seconds_of(lambda: train(steps)),
            lambda: float(loss(carry[0], first)),
        )

    versions = f"{version('flax')}, jax {jax.__version__}"
    return Peer(versions, jax.default_backend(), [Choice("", build)])


def _mean_loss(workload: str, dropout_rate: float) -> Callable[..., jax.Array]:
    features = (64, 64, 10) if workload == "fashion_mlp" else (16, 16, 1)
    model = CNN(dropout_rate) if workload == "mnist_cnn" else Dense(features)

    def mean_loss(params: Any, batch: Batch, noise: jax.Array | None) -> jax.Array:
        inputs, targets = batch
        rngs = None if noise is None else {"dropout": noise}
        logits = model.apply({"params": params}, inputs, train=noise is not None, rngs=rngs)
        assert isinstance(logits, jax.Array)
        if workload == "imdb_bow":
            losses = optax.sigmoid_binary_cross_entropy(logits[:, 0], targets)
        else:
            losses = optax.softmax_cross_entropy_with_integer_labels(logits, targets)
        return losses.mean()

    return mean_loss


def _loop(problem: Problem, inputs: np.ndarray, targets: np.ndarray):
    """Batches that lie on the device, a call for each."""
    batches = jax.device_put(list(zip(*map(problem.batches, (inputs, targets)), strict=True)))

    def make_run(step: Step) -> Callable[[Carry, int], Carry]:
        compiled = jax.jit(step, donate_argnums=0)

        def run(carry: Carry, steps: int) -> Carry:
            for batch in batches[:steps]:
                carry = compiled(carry, batch)
            return carry

        return run

    return make_run


def _scan(problem: Problem, inputs: np.ndarray, targets: np.ndarray):
    """One call for all whole batches, which are an argument of it, and one for the short one."""
    size = problem.batch_size
    whole = len(targets) // size

    def stack(array: np.ndarray) -> np.ndarray:
        return array[: whole * size].reshape(whole, size, *array.shape[1:])

    stacked = jax.device_put((stack(inputs), stack(targets)))
    rest = jax.device_put((inputs[whole * size :], targets[whole * size :]))

    def make_run(step: Step) -> Callable[[Carry, int], Carry]:
        @partial(jax.jit, donate_argnums=0, static_argnums=2)
        def scan(carry: Carry, stacked: Batch, steps: int) -> Carry:
            def body(carry: Carry, i: jax.Array) -> tuple[Carry, None]:
                return step(carry, (stacked[0][i], stacked[1][i])), None

            return lax.scan(body, carry, jnp.arange(steps))[0]

        last = jax.jit(step, donate_argnums=0)

        def run(carry: Carry, steps: int) -> Carry:
            carry = scan(carry, stacked, min(steps, whole))
            return last(carry, rest) if steps > whole else carry

        return run

    return make_run
