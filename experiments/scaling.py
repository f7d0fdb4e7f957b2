"""What a step costs on one device and on all of them, beside what a simple model says.

    python -m experiments.scaling

On N devices a step should take a part of the time of one, and the sums of the gradients over the
devices: T(N) = T(1)/N + A(N). Both are measured, the sums alone and within the step, in turns.
Simulated devices share a CPU's cores and say nothing of T(1)/N: processes do that have cores of
their own (`docs/scaling.md`).
In about a minute.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from dl_jax.train import (
    Examples,
    default_mesh,
    epoch_order,
    init_state,
    train_batches,
    zero_totals,
)
from dl_jax.train.mesh import check_batch, put
from experiments.options import Distributed, main
from experiments.record import Record
from experiments.recording import recording
from experiments.start_up import NETWORKS

_SIZES = (1, 1 << 10, 1 << 14, 1 << 17, 1 << 20)  # numbers, of 4 bytes each


@dataclass(frozen=True)
class Config(Distributed):
    """Steps on one device and on all of them, beside a model."""

    steps: int = 10
    """In one call of the compiled program."""
    repeats: int = 25
    """Calls, of which the quickest counts: what else runs disturbs whoever waits for others."""


def run(config: Config) -> Record:
    """Measure the networks and the sums, and write the run folder.

    Raises:
        ValueError: if there is but one device.
    """
    mesh = default_mesh()
    if mesh is None:
        raise ValueError(
            "scaling: expected at least 2 devices, got 1; start several processes, or make devices "
            "of a CPU with JAX_NUM_CPU_DEVICES=2"
        )
    with recording(
        "scaling", config, "Many devices", f"Steps on one device and on {mesh.size}."
    ) as record:
        sums = [_seconds(config, [_sums([(size,)], mesh)])[0] for size in _SIZES]
        slope, latency = np.polyfit(np.array(_SIZES) * 4, sums, 1, w=1 / np.array(sums))
        record.add_table(
            f"Sums over {mesh.size} devices, ms", ("Numbers", "Measured", "a + bytes / b"),
            [[str(n), t * 1e3, (latency + 4 * n * slope) * 1e3]
             for n, t in zip(_SIZES, sums, strict=True)],
        )  # fmt: skip
        record.add_figure("a, ms", latency * 1e3)
        record.add_figure("b, MB/s", 1 / slope / 1e6)
        rows: list[list[str | float | None]] = []
        record.add_table(
            f"Milliseconds a step, on 1 device and on {mesh.size}",
            (
                "Network",
                "1 device",
                f"{mesh.size} devices",
                "Sums alone",
                "Model",
                "Measured / model",
            ),
            rows,
        )
        for name, (experiment, shape) in NETWORKS.items():
            task, batch = experiment.task_of(experiment.Config()), experiment.Config().batch_size
            check_batch(batch, mesh)
            alone, shapes = _step(task, shape, batch, None)
            shared, _ = _step(task, shape, batch, mesh)
            one, all_, total = _seconds(config, [alone, shared, _sums(shapes, mesh)])
            model = one / mesh.size + total
            rows.append([name, one * 1e3, all_ * 1e3, total * 1e3, model * 1e3, all_ / model])
            print(f"{name}: {one * 1e3:.2f} ms alone, {all_ * 1e3:.2f} together, {model * 1e3:.2f} "
                  "by the model", flush=True)  # fmt: skip
    return record


Steps = Callable[[int], object]


def _seconds(config: Config, parts: list[Steps]) -> list[float]:
    """Seconds a step of each part, which are called in turns."""
    seconds = []
    for _ in range(config.repeats + 1):
        seconds.append([])
        for part in parts:
            started = time.perf_counter()
            jax.block_until_ready(part(config.steps))
            seconds[-1].append((time.perf_counter() - started) / config.steps)
    return np.min(seconds[1:], axis=0).tolist()  # the first one compiles


def _sums(shapes: list[tuple[int, ...]], mesh: Mesh) -> Steps:
    """The sums of arrays over the devices, as of the gradients of a step, time and again."""

    def one(x):
        return lax.psum(x, "data") / mesh.size

    def sums(arrays, count):
        return lax.fori_loop(0, count, lambda _, arrays: [one(x) for x in arrays], arrays)

    whole = jax.jit(
        jax.shard_map(sums, mesh=mesh, in_specs=(P(), P()), out_specs=P(), check_vma=False)
    )
    arrays = put([np.ones(shape, np.float32) for shape in shapes], mesh, whole=True)
    return lambda count: whole(arrays, np.int32(count))


def _step(
    task, shape: tuple[int, ...], batch: int, mesh: Mesh | None
) -> tuple[Steps, list[tuple[int, ...]]]:
    """Training steps on random examples, and the shapes of what a step sums over devices."""
    rng, key = np.random.default_rng(0), jax.random.key(0)
    size = 4 * batch
    inputs = rng.integers(1, 256, (size, *shape)).astype(np.uint8 if len(shape) == 3 else np.uint16)
    examples = Examples(inputs, rng.integers(0, 2, size).astype(np.int32))
    state = init_state(task.model, task.optimizer, key, inputs)
    zeros = zero_totals(task.model, task.objective, state, examples)
    shapes = [a.shape for a in jax.tree.leaves((state.params, zeros))]
    # The order goes round and round, so that there are batches for any number of steps.
    order = jnp.tile(epoch_order(key, 0, size), 64)
    carry, rest = put((state, zeros), mesh), put((examples, order, key), mesh, whole=True)
    run = partial(train_batches, task.model, task.objective, task.optimizer)

    def steps(count: int):
        nonlocal carry
        carry = run(*carry, *rest, 0, count, batch_size=batch, mesh=mesh)
        return carry

    return steps, shapes


if __name__ == "__main__":
    main("scaling", Config, run)
