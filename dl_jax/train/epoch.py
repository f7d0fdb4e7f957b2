"""Many steps in one compiled program."""

from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from jax import lax
from jax.sharding import Mesh
from jaxtyping import Array, Int, Key

from dl_jax.backprop import Network
from dl_jax.losses import Objective
from dl_jax.train.mesh import among, in_place, over_devices
from dl_jax.train.nonfinite import all_finite, learned
from dl_jax.train.state import Examples, TrainState
from dl_jax.train.step import Metrics, evaluate, train_step

NonFinite = Literal["stop", "skip"]


@partial(
    jax.jit,
    static_argnames=(
        "model",
        "objective",
        "optimizer",
        "batch_size",
        "by_hand",
        "mesh",
        "nonfinite",
    ),
    donate_argnames=("state", "totals"),
)
def train_batches(
    model: nn.Module,
    objective: Objective,
    optimizer: optax.GradientTransformation,
    state: TrainState,
    totals: Metrics,
    examples: Examples,
    order: Int[Array, " n"] | None,
    noise: Key[Array, ""],
    first: Int[Array, ""] | int,
    count: Int[Array, ""] | int,
    *,
    batch_size: int,
    by_hand: Network | None = None,
    mesh: Mesh | None = None,
    nonfinite: NonFinite = "stop",
) -> tuple[TrainState, Metrics]:
    """Make `count` steps on consecutive batches of the order, as one program.

    `first` and `count` are no constants of the program: one compilation serves an epoch in one
    call, in many calls with a progress bar between them, or in none (`count=0` just compiles).

    Args:
        model: a Flax module.
        objective: what is minimised.
        optimizer: an optax optimizer.
        state: before the steps; donated.
        totals: sums over examples so far, by metric; donated.
        examples: the whole data set, on the device; or, without an order, the batches,
            `[steps, batch_size, ...]`.
        order: which example comes when.
        noise: the run's key for dropout.
        first: position, counted in examples, at which the first batch begins.
        count: number of steps.
        batch_size: examples a step.
        by_hand: as in `train_step`.
        mesh: on whose devices the arguments lie; each batch is cut over its `data` axis.
        nonfinite: what is done where numbers are not finite. "stop" leaves stopping to the caller:
            the loss in the totals is not finite from then on. "skip" leaves out each update whose
            loss, or what would be learned, is not, and counts it in the totals; a select over the
            state takes a fifth of a small network's step.

    Returns:
        The state after the steps, and the totals with these examples added.
    """

    def body(i, carry):
        state, totals = carry
        if order is None:
            index = first // batch_size + i
        else:
            index = lax.dynamic_slice(order, (first + i * batch_size,), (batch_size,))
        batch = over_devices(jax.tree.map(lambda a: a[index], examples), mesh)
        with among(mesh):
            after, metrics = train_step(model, objective, optimizer, state, batch, noise, by_hand)
        added = {k: totals[k] + batch_size * metrics[k] for k in metrics}
        if nonfinite == "stop":
            return in_place((after, added), mesh)
        good = jnp.isfinite(metrics["loss"]) & all_finite(learned(after))
        left_out = {"skipped": totals["skipped"] + 1, "left_out": totals["left_out"] + batch_size}
        totals = _select(good, totals | added, totals | left_out)
        return in_place((_select(good, after, state).replace(step=after.step), totals), mesh)

    return in_place(lax.fori_loop(0, count, body, (state, totals)), mesh)


def _select(good, first, second):
    return jax.tree.map(lambda a, b: jnp.where(good, a, b), first, second)


@partial(jax.jit, static_argnames="size")
def epoch_order(key: Key[Array, ""], epoch: Int[Array, ""] | int, size: int) -> Int[Array, " n"]:
    """Return the order of the examples in one epoch (from 0), drawn afresh for each.

    Up to 2^16 examples the order is that of 32 random bits each, found as a radix sort finds it:
    by 16 of them, and then what has come to each place by another 16 of that place. Numbers that
    hold half of the bits and a place beside them are sorted by a CPU ten times as fast as the pairs
    of `jax.random.permutation`, which would take a seventh of the MLP's epoch.
    """
    key = jax.random.fold_in(key, epoch)
    if size > 1 << 16:
        return jax.random.permutation(key, size)
    bits, places = jax.random.bits(key, (size,), jnp.uint32), lax.iota(jnp.uint32, size)
    lower, upper = (lax.sort(half << 16 | places) & 0xFFFF for half in (bits, bits >> 16))
    return lower[upper].astype(jnp.int32)


def zero_totals(
    model: nn.Module,
    objective: Objective,
    state: TrainState,
    examples: Examples,
    nonfinite: NonFinite = "stop",
) -> Metrics:
    """Return a zero for `loss` and for each metric of the objective; nothing is computed.

    For "skip" also for `skipped`, the updates, and `left_out`, the examples of their batches.
    """

    def of_one(state, examples):
        return evaluate(model, objective, state, jax.tree.map(lambda a: a[:1], examples))

    figures = jax.eval_shape(of_one, state, examples)
    zeros = {name: jnp.zeros(figure.shape, figure.dtype) for name, figure in figures.items()}
    if nonfinite == "skip":
        zeros |= {name: jnp.zeros((), jnp.float32) for name in ("skipped", "left_out")}
    return zeros
