"""Training, evaluation and pictures, as the experiments on classifiers share them."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn

from dl_jax import backprop, data
from dl_jax.losses import Objective
from dl_jax.models import fields_of, save_weights
from dl_jax.models.precision import with_mixed_precision
from dl_jax.train import (
    Checkpoint,
    Data,
    Examples,
    Fit,
    Schedule,
    TrainState,
    fit,
    init_state,
    on_one_device,
    predict,
)
from experiments.member_rows import add_means
from experiments.members import train_members
from experiments.options import Gradients, Training
from experiments.record import Record
from experiments.resuming import Kept, resumable


class Task(NamedTuple):
    """What is trained.

    Attributes:
        model: a Flax module.
        objective: what is minimised.
        optimizer: an optax optimizer.
        by_hand: the model's hand derivation, if there is one.
        optimizer_of: the optimizer as a function of `learning_rate`, for sweeps.
    """

    model: nn.Module
    objective: Objective
    optimizer: optax.GradientTransformation
    by_hand: backprop.Network | None = None
    optimizer_of: Callable[..., optax.GradientTransformation] | None = None


def adam(learning_rate: float | jax.Array) -> optax.GradientTransformation:
    """Return Adam with Keras' epsilon."""
    return optax.adam(learning_rate, eps=1e-7)


class Trained(NamedTuple):
    """What was trained.

    Attributes:
        state: of the first seed.
        history: of the only seed, or the means over all.
        compile_seconds: as of `Fit`; 0 of several seeds, whose training contains it.
        members: each seed's state and history.
    """

    state: TrainState
    history: list[dict[str, float]]
    compile_seconds: float
    members: list[Fit]


def train(
    record: Record,
    task: Task,
    examples: Examples,
    *,
    num_epochs: int,
    batch_size: int,
    seed: int,
    gradients: Gradients = "autodiff",
    validation: Examples | None = None,
    keep_history: bool = True,
    start: Checkpoint | None = None,
    seeds: int = 1,
) -> Trained:
    """Train with `fit`, or several seeds as one program; add history and times to the record.

    Many devices train, but what follows, tests and pictures, is done on one. A run whose options
    are `Training` can be resumed, unless it has a start of its own.
    """
    model = with_mixed_precision(task.model, record.precision)
    by_hand = task.by_hand if gradients == "hand" else None
    config = record.config if start is None and isinstance(record.config, Training) else Training()
    if seeds > 1:
        assert start is None
        return _train_seeds(
            record, task._replace(model=model, by_hand=by_hand), Data(examples, validation),
            Schedule(num_epochs, batch_size, config.nonfinite), range(seed, seed + seeds),
            keep_history,
        )  # fmt: skip

    def like() -> TrainState:
        make = partial(init_state, task.model, task.optimizer)
        return jax.eval_shape(make, jax.random.key(0), examples.inputs[:1])

    keeping = resumable(record, like, num_epochs=num_epochs, seed=seed)
    with keeping if config is record.config else nullcontext(Kept(start, None)) as (start, keep):
        rows = start.history if start and config.resume else []
        if keep_history and config.resume:
            record.restore(rows)
        for row in rows:
            record.add_epoch_times(int(row["epoch"]), row)
        done = fit(
            model,
            task.objective,
            task.optimizer,
            examples,
            num_epochs=num_epochs,
            batch_size=batch_size,
            key=jax.random.key(seed),
            validation=validation,
            callbacks=[record.add_epoch if keep_history else record.add_epoch_times],
            by_hand=by_hand,
            start=start,
            checkpoint=keep,
            checkpoint_every=config.checkpoint_every,
            nonfinite=config.nonfinite,
        )
    record.add_time("compilation", done.compile_seconds)
    if keep_history:
        epochs = [row["seconds"] for row in done.history]
        record.add_time("epoch", float(np.median(epochs)))
    done = done._replace(state=on_one_device(done.state))
    return Trained(*done, [done])


def _train_seeds(
    record: Record,
    task: Task,
    data: Data,
    schedule: Schedule,
    seeds: Sequence[int],
    keep_history: bool,
) -> Trained:
    def after(_: int, rows: list[dict[str, float]]) -> None:
        if keep_history:
            add_means(record, seeds, rows)

    fits = train_members(
        record, task.model, task.objective, task.optimizer, data, schedule, seeds=seeds, grid=[{}],
        after=after, by_hand=task.by_hand, keep_history=keep_history,
    )  # fmt: skip
    means = [dict(row) for row in record.result["history"]] if keep_history else []
    return Trained(fits[0].state, means, 0.0, fits)


def logits_of(
    record: Record, model: nn.Module, state: TrainState, inputs: jax.Array | np.ndarray
) -> jax.Array:
    """Return the logits of each example, timed as evaluation, in the precision of the run."""
    model = with_mixed_precision(model, record.precision)
    with record.timed("evaluation"):
        return jax.block_until_ready(predict(model, state, inputs))


def logits_of_each(
    record: Record, model: nn.Module, done: Trained, inputs: jax.Array | np.ndarray
) -> list[jax.Array]:
    """Return the logits of each example, by each seed's network."""
    return [logits_of(record, model, member.state, inputs) for member in done.members]


def keep_weights(
    record: Record, name: str, task: Task, state: TrainState, examples: Examples, info: data.Info
) -> None:
    """Write the weights to the run's folder, with all that `dl-jax predict` needs to use them."""
    dtype = jnp.int32 if info.vocabulary else jnp.float32
    shape = jax.ShapeDtypeStruct(examples.inputs.shape[1:], dtype)
    save_weights(
        record.folder / "weights.safetensors",
        {"params": state.params, **state.model_state},
        shape,
        model=name,
        fields=fields_of(task.model),
        class_names=info.class_names,
        vocabulary=info.vocabulary,
    )


def test_figures(
    objective: Objective, logits: jax.Array, examples: Examples
) -> tuple[float, float]:
    """Return the mean loss and accuracy of logits."""
    targets = jnp.asarray(examples.targets)
    accuracy = objective.metrics(logits, targets)["accuracy"]
    return float(objective.loss(logits, targets).mean()), float(accuracy.mean())


def figures_of_each(
    objective: Objective, logits: Sequence[jax.Array], examples: Examples
) -> tuple[list[float], list[float]]:
    """Return the mean loss and accuracy of each seed's logits."""
    losses, accuracies = zip(
        *(test_figures(objective, one, examples) for one in logits), strict=True
    )
    return list(losses), list(accuracies)
