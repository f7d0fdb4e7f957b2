"""The lecture's networks trained twice, on its own derivations and on automatic differentiation.

    python -m experiments.hand_gradients

Both start from the same parameters, see the same examples in the same order and drop the same
values. Expected: one loss curve, to 1e-4 in float32 and 1e-10 in float64 in its median and after
the epoch, in at most 1.2 times the time; in about a minute on 2 cores. In float32 a ReLU whose
input is 0 to rounding may go one way here and the other there; the curves part by some 1e-4 then,
and meet again.
Slides "Backpropagation".
"""

import time
from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from dl_jax import report
from dl_jax.backprop import value_and_grad
from dl_jax.train import (
    Examples,
    TrainState,
    epoch_order,
    init_state,
    predict,
    streams,
    train_batches,
    zero_totals,
)
from dl_jax.train.progress import progress_bar
from dl_jax.train.state import as_model_inputs
from experiments import fashion_mnist_mlp, imdb_reviews, mnist_cnn
from experiments.options import Options, main
from experiments.record import Record
from experiments.recording import recording
from experiments.sources import examples, obtain
from experiments.training import Task

WAYS = ("automatic", "by hand")
NETWORKS = {
    "fashion_mnist_mlp": ("fashion_mnist", fashion_mnist_mlp),
    "mnist_cnn": ("mnist", mnist_cnn),
    "imdb_reviews": ("imdb_reviews", imdb_reviews),
}
_PIECES = 40  # of an epoch: points of the curves, and pairs of times
_JUDGED = 5000  # examples on which the two are compared at the end


@dataclass(frozen=True)
class Config(Options):
    """Gradients by hand beside automatic ones, for an epoch of each network."""

    num_epochs: int = 1
    precision: Literal["float32", "float64"] = "float32"


class Race(NamedTuple):
    """Two runs, a piece of an epoch of the one and then of the other.

    Attributes:
        steps: how many updates were made after each piece.
        losses: mean loss of each piece, a row for each of `WAYS`; summed in float32.
        seconds: of each piece, likewise.
        last: after the last step the loss of some examples, in the precision of the run.
        gradients_apart: at the start, the largest difference of a gradient's entries relative to
            the largest of them; an optimizer as Adam would hide a wrong scale.
    """

    steps: Float[np.ndarray, " n"]
    losses: Float[np.ndarray, "2 n"]
    seconds: Float[np.ndarray, "2 n"]
    last: Float[np.ndarray, "2"]
    gradients_apart: float


def run(config: Config) -> Record:
    """Train each network both ways, piece by piece, and write the run folder."""
    with recording(
        "hand_gradients",
        config,
        "Gradients by hand",
        "Each network of the lecture trained twice from the same parameters: with the gradients "
        "that the lecture derives, and with automatic differentiation.",
    ) as record:
        bound = {"float32": 1e-4, "float64": 1e-10}[config.precision]
        rows = []
        for name, (data, experiment) in NETWORKS.items():
            with record.timed("data"):
                source = obtain(data, config.data)
                train = jax.device_put(examples(source.dataset.train))
            settings = experiment.Config()
            task = experiment.task_of(settings)
            with jax.enable_x64(config.precision == "float64"), record.timed("training"):
                race = _race(task, train, config, settings.batch_size)
            on_the_way = np.abs(race.losses[1] / race.losses[0] - 1)
            apart = float(max(np.median(on_the_way), abs(race.last[1] / race.last[0] - 1)))
            ratio = float(np.median(race.seconds[1] / race.seconds[0]))
            for figure, value, expected, worst in (
                ("difference of the gradients", race.gradients_apart, 0.0, bound),
                ("difference of the losses", apart, 0.0, bound),
                ("time by hand / automatic", ratio, 1.0, 1.2),
            ):
                record.add_figure(
                    f"{name}: {figure}", value, expected=expected, bound=worst, direction="<=",
                    source="the same gradient, by the lecture's formulas",
                )  # fmt: skip
            record.add_figure(
                f"  losses apart on the way, at most ({name})", float(on_the_way.max())
            )
            step = np.median(race.seconds / np.diff(race.steps, prepend=0), axis=1) * 1e3
            kind = "embedded" if source.dataset.info.embedded else "real"
            rows.append([name, f"{kind} {data}", int(race.steps[-1]), *map(float, step), ratio])
            record.pictures.append(
                report.plot_loss_curves(
                    race.steps,
                    dict(zip(WAYS, race.losses, strict=True)),
                    record.folder / f"{name}.png",
                    title=name,
                )
            )
        columns = ("Network", "Data", "Steps", "Step, automatic (ms)", "Step, by hand (ms)",
                   "Ratio")  # fmt: skip
        record.add_table("Medians of the pieces; ratios pair by pair", columns, rows)
    return record


def _race(task: Task, train: Examples, config: Config, batch_size: int) -> Race:
    """Train both ways in turns. The last short batch of an epoch is left out."""
    init, order_key, noise = streams(jax.random.key(config.seed))
    runs = [
        partial(train_batches, task.model, task.objective, task.optimizer, by_hand=by_hand)
        for by_hand in (None, task.by_hand)
    ]
    state = init_state(task.model, task.optimizer, init, train.inputs)
    if config.precision == "float64":
        state = jax.tree.map(_widened, state)
        train = train._replace(inputs=_widened(as_model_inputs(train.inputs)))
    states: list[TrainState] = [jax.tree.map(jnp.copy, state) for _ in WAYS]
    size, zeros = len(train.targets), zero_totals(task.model, task.objective, state, train)

    def piece(way: int, order: Array, first: int, count: int) -> tuple[float, float]:
        totals, started = jax.tree.map(jnp.copy, zeros), time.perf_counter()
        states[way], totals = runs[way](
            states[way], totals, train, order, noise, first, count, batch_size=batch_size
        )
        loss = float(totals["loss"]) / max(count * batch_size, 1)
        return loss, time.perf_counter() - started

    first = jax.tree.map(lambda a: a[:batch_size], train)
    gradients_apart = _gradients_apart(task, state.params, first, noise)
    for way in range(2):  # compiles
        piece(way, epoch_order(order_key, 0, size), 0, 0)
    steps, found = [], []
    whole = size // batch_size
    count = -(-whole // _PIECES)
    with progress_bar(config.num_epochs, size, show=True) as advance:
        for epoch in range(config.num_epochs):
            order = epoch_order(order_key, epoch, size)
            for step in range(0, whole, count):
                made = min(count, whole - step)
                turns = (0, 1) if len(found) % 2 else (1, 0)
                pair = {way: piece(way, order, step * batch_size, made) for way in turns}
                steps.append(epoch * whole + step + made)
                found.append([pair[0], pair[1]])
                seen = made * batch_size
                advance(seen, {"loss": jnp.asarray(pair[1][0])}, 1)
    losses, seconds = np.array(found).transpose(2, 1, 0)
    some = jax.tree.map(lambda a: a[:_JUDGED], train)
    last = [
        task.objective.loss(predict(task.model, state, some.inputs), jnp.asarray(some.targets))
        for state in states
    ]
    return Race(np.array(steps, float), losses, seconds, np.array([each.mean() for each in last]),
                gradients_apart)  # fmt: skip


def _gradients_apart(task: Task, params: PyTree, batch: Examples, key: Array) -> float:
    inputs, targets = as_model_inputs(batch.inputs), jnp.asarray(batch.targets)

    def mean_loss(params):
        logits = task.model.apply({"params": params}, inputs, train=True, rngs={"dropout": key})
        assert isinstance(logits, Array)
        return task.objective.loss(logits, targets).mean()

    assert task.by_hand is not None
    _, by_hand = jax.jit(partial(value_and_grad, task.by_hand))(params, inputs, targets, key)
    automatic = jax.jit(jax.grad(mean_loss))(params)
    apart = jax.tree.map(lambda a, b: jnp.abs(a - b).max() / jnp.abs(a).max(), automatic, by_hand)
    return float(max(jax.tree.leaves(apart)))


def _widened(a: Array) -> Array:
    return a.astype(jnp.float64) if jnp.issubdtype(a.dtype, jnp.floating) else a


if __name__ == "__main__":
    main("hand_gradients", Config, run)
