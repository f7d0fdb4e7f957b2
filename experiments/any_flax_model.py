"""Flax models that are not the lecture's, with XLA's convolutions and with this project's.

    python -m experiments.any_flax_model

Kernels of 5x5 with SAME padding, strides, depthwise convolutions, residual blocks with batch
statistics: each block is written once, with Flax's own layers, and is given the operations that it
computes with. A training step of each is timed in turns, as a call and inside a compiled loop.
Expected: on a CPU each block at least 4 times as fast in a loop and no slower by the call, with the
same loss; on a GPU or TPU the two are one program. About four minutes on 2 cores.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from jax import lax

from dl_jax import ops
from dl_jax.losses import MULTICLASS
from dl_jax.ops.compile_once import compile_once
from dl_jax.train import Examples, TrainState, init_state, train_step
from experiments.options import Output, main
from experiments.record import Record
from experiments.recording import recording

LAX = {"convolve": lax.conv_general_dilated, "max_pool": nn.max_pool, "avg_pool": nn.avg_pool}
OURS = {"convolve": ops.conv_general_dilated, "max_pool": ops.max_pool, "avg_pool": ops.avg_pool}


class Block(nn.Module):
    """A small network of one kind of layer, for images `[n, h, w, c]` and ten classes.

    Attributes:
        kind: a key of `BLOCKS`.
        convolve: with the signature of `jax.lax.conv_general_dilated`.
        max_pool: with that of `flax.linen.max_pool`.
        avg_pool: with that of `flax.linen.avg_pool`.
    """

    kind: str
    convolve: Callable[..., jax.Array]
    max_pool: Callable[..., jax.Array]
    avg_pool: Callable[..., jax.Array]

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
        """Return the logits."""
        conv = partial(nn.Conv, conv_general_dilated=self.convolve)
        return nn.Dense(10)(BLOCKS[self.kind](self, conv, x, train).mean((1, 2)))


def _five(block: Block, conv: Any, x: jax.Array, train: bool) -> jax.Array:
    for features in (32, 64):
        x = block.max_pool(nn.relu(conv(features, (5, 5))(x)), (3, 3), (2, 2), "SAME")
    return x


def _strided(block: Block, conv: Any, x: jax.Array, train: bool) -> jax.Array:
    for features in (32, 64, 128):
        x = nn.relu(conv(features, (3, 3), strides=2)(x))
    return x


def _depthwise(block: Block, conv: Any, x: jax.Array, train: bool) -> jax.Array:
    x = nn.relu(conv(32, (3, 3), strides=2)(x))
    for features in (64, 128):
        x = nn.relu(conv(x.shape[-1], (3, 3), feature_group_count=x.shape[-1])(x))
        x = nn.relu(conv(features, (1, 1))(x))
    return block.avg_pool(x, (2, 2), (2, 2))


def _residual(block: Block, conv: Any, x: jax.Array, train: bool) -> jax.Array:
    norm = partial(nn.BatchNorm, use_running_average=not train, momentum=0.9)
    x = nn.relu(norm()(conv(32, (3, 3), use_bias=False)(x)))
    for features, strides in ((32, 1), (64, 2)):
        y = nn.relu(norm()(conv(features, (3, 3), strides=strides, use_bias=False)(x)))
        y = norm()(conv(features, (3, 3), use_bias=False)(y))
        if x.shape != y.shape:
            x = norm()(conv(features, (1, 1), strides=strides, use_bias=False)(x))
        x = nn.relu(x + y)
    return x


BLOCKS: dict[str, Callable[[Block, Any, jax.Array, bool], jax.Array]] = {
    "5x5, SAME, 3x3 pooling": _five,
    "3x3, stride 2": _strided,
    "depthwise and 1x1": _depthwise,
    "residual, batch statistics": _residual,
}


@dataclass(frozen=True)
class Config(Output):
    """Flax models that are not the lecture's."""

    batch_size: int = 32
    image_size: int = 32
    steps: int = 3
    """Between two looks at the clock."""
    rounds: int = 5
    """How often each is timed."""


def run(config: Config) -> Record:
    """Time each block with both and write the run folder."""
    with recording(
        "any_flax_model",
        config,
        "Any Flax model",
        "A training step with jax.lax's convolutions and pooling, and with this project's.",
    ) as record:
        rows: list[tuple[str | float, ...]] = []
        columns = (
            "Block",
            "Steps",
            "ms a step, lax",
            "ms a step, ops",
            "Times faster",
            "Quartiles",
        )
        record.add_table("A training step", columns, rows)
        for kind, way in product(BLOCKS, WAYS):
            seconds, losses = _in_turns(kind, WAYS[way], config)
            ratios = [a / b for a, b in zip(*seconds, strict=True)]
            q1, median, q3 = map(float, np.percentile(ratios, (25, 50, 75)))
            before, after = (1e3 * float(np.median(s)) for s in seconds)
            rows.append((kind, way, before, after, median, f"{q1:.1f} to {q3:.1f}"))
            print(f"{kind}, {way}: {before:.1f} ms before, {after:.1f} ms after", flush=True)
            bound = BOUNDS[way] if jax.default_backend() == "cpu" else None
            record.add_figure(f"times faster: {kind}, {way}", median, bound=bound)
            apart = abs(losses[0] - losses[1]) / losses[0]
            # Some dozen steps of float32, each of which rounds its sums in another order.
            record.add_figure("  loss apart", apart, bound=1e-3, direction="<=")
    return record


def _in_turns(
    kind: str, way: "Way", config: Config
) -> tuple[tuple[list[float], list[float]], list[float]]:
    """Seconds a step with either's operations, in turns; and the loss after all steps."""
    x_key, t_key, key = jax.random.split(jax.random.key(0), 3)
    shape = (config.batch_size, config.image_size, config.image_size, 3)
    batch = Examples(jax.random.normal(x_key, shape), jax.random.randint(t_key, shape[:1], 0, 10))
    optimizer = optax.sgd(1e-2)
    start = compile_once(init_state, static_argnames=("model", "optimizer"))
    models = [Block(kind, **operations) for operations in (LAX, OURS)]
    states = [start(model, optimizer, key, batch.inputs) for model in models]
    train = [
        way(partial(train_step, model, MULTICLASS, optimizer, batch=batch, noise=key), config.steps)
        for model in models
    ]
    seconds: tuple[list[float], list[float]] = ([], [])
    losses = [0.0, 0.0]
    for turn in range(config.rounds + 1):  # the first one compiles
        for i in range(2):
            started = time.perf_counter()
            states[i], losses[i] = train[i](states[i])
            if turn:
                seconds[i].append((time.perf_counter() - started) / config.steps)
    return seconds, losses


Way = Callable[[Callable[..., Any], int], Callable[[TrainState], tuple[TrainState, float]]]


def _in_a_loop(step: Callable[..., Any], steps: int) -> Callable[..., tuple[TrainState, float]]:
    @jax.jit
    def train(state: TrainState) -> tuple[TrainState, jax.Array]:
        def one(_: Any, carry: tuple[TrainState, jax.Array]) -> tuple[TrainState, jax.Array]:
            state, metrics = step(state=carry[0])
            return state, metrics["loss"]

        return lax.fori_loop(0, steps, one, (state, jnp.zeros(())))

    def call(state: TrainState) -> tuple[TrainState, float]:
        state, loss = train(state)
        return state, float(loss)

    return call


def _one_by_one(step: Callable[..., Any], steps: int) -> Callable[..., tuple[TrainState, float]]:
    compiled = jax.jit(lambda state: step(state=state))

    def call(state: TrainState) -> tuple[TrainState, float]:
        for _ in range(steps - 1):
            state, _ = compiled(state)
        state, metrics = compiled(state)
        return state, float(metrics["loss"])

    return call


WAYS: dict[str, Way] = {"a call each": _one_by_one, "in a compiled loop": _in_a_loop}
BOUNDS = {"a call each": 0.9, "in a compiled loop": 4.0}


if __name__ == "__main__":
    main("any_flax_model", Config, run)
