"""LeNet-5 learns five digits from another's parameters, or with some of them frozen."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import PyTree

from dl_jax.losses import MULTICLASS
from dl_jax.models import create
from dl_jax.train import (
    Checkpoint,
    Data,
    Examples,
    Fit,
    Schedule,
    TrainState,
    as_model_inputs,
    with_hyperparams,
)
from experiments.grid import Grid
from experiments.members import train_members
from experiments.record import Record

MODEL = create("lenet5", pad=2, num_classes=5)


class Variant(NamedTuple):
    """What learns, and from where.

    Attributes:
        name: in the table.
        trained: layers that are not frozen.
        from_first: whether it begins with the first network's parameters.
    """

    name: str
    trained: tuple[str, ...]
    from_first: bool


LAYERS = ("c1", "c3", "c5", "f6", "output")
VARIANTS = (
    Variant("from new parameters", LAYERS, from_first=False),
    Variant("the last layer", LAYERS[4:], from_first=True),
    Variant("the layers of neurons", LAYERS[2:], from_first=True),
    Variant("all layers", LAYERS, from_first=True),
)


def of_digits(all_examples: Examples, first: int) -> Examples:
    """Return the examples of five digits from the first on, as classes 0 to 4."""
    inputs, targets = (np.asarray(a) for a in all_examples)
    kept = (targets >= first) & (targets < first + 5)
    return Examples(jnp.asarray(inputs[kept]), jnp.asarray(targets[kept] - first))


def frozen(
    optimizer: optax.GradientTransformation, params: PyTree, trained: tuple[str, ...]
) -> optax.GradientTransformation:
    """Return the optimizer for some layers alone; all others keep their parameters.

    Raises:
        ValueError: for a layer that is not among the parameters.
    """
    unknown = [name for name in trained if name not in params]
    if unknown:
        raise ValueError(f"trained: expected some of {', '.join(params)}, got {', '.join(unknown)}")
    mask = {
        name: jax.tree.map(lambda _, fixed=name not in trained: fixed, layer)
        for name, layer in params.items()
    }
    return optax.selective_transform(optimizer, freeze_mask=mask)


def beginnings(
    variant: Variant, seeds: Sequence[int], first: Sequence[Fit], few: Examples
) -> list[PyTree]:
    """Return the parameters that each seed of a variant begins with."""
    init = jax.jit(MODEL.init)
    begun = []
    for seed, fit in zip(seeds, first, strict=True):
        new = init(jax.random.key(seed), as_model_inputs(few.inputs[:1]))["params"]
        known = {**fit.state.params, "output": new["output"]}
        begun.append(known if variant.from_first else new)
    return begun


def tune(
    record: Record,
    variant: Variant,
    begun: Sequence[PyTree],
    few: Examples,
    schedule: Schedule,
    *,
    seeds: Sequence[int],
    grid: Grid,
    learning_rate: float,
) -> list[Fit]:
    """Train a variant, all seeds at every point of the grid as one program.

    Args:
        record: of the run; it gets the time.
        variant: what is trained.
        begun: parameters that each seed begins with.
        few: the examples.
        schedule: epochs and batch size.
        seeds: of the order of the examples.
        grid: learning rates, or `[{}]`.
        learning_rate: of Adam, where the grid has none.
    """

    def optimizer_of(learning_rate: float | jax.Array) -> optax.GradientTransformation:
        return frozen(optax.adam(learning_rate), begun[0], variant.trained)

    optimizer = (optax.inject_hyperparams(optimizer_of) if grid[0] else optimizer_of)(learning_rate)
    states = []
    for point in grid:
        for params in begun:
            state = TrainState(jnp.zeros((), jnp.int32), params, {}, optimizer.init(params))
            states.append(with_hyperparams(None, state, point))
    start = Checkpoint(jax.tree.map(lambda *leaves: jnp.stack(leaves), *states))
    return train_members(
        record, MODEL, MULTICLASS, optimizer, Data(few), schedule, seeds=seeds, grid=grid,
        after=lambda epoch, rows: None, keep_history=False, start=start,
    )  # fmt: skip


def change(variant: Variant, before: PyTree, state: TrainState) -> float:
    """Return by how much a parameter that a variant freezes has changed, at most."""
    changes = [
        float(np.abs(np.asarray(a) - np.asarray(b)).max())
        for name in before.keys() - set(variant.trained)
        for a, b in zip(*map(jax.tree.leaves, (before[name], state.params[name])), strict=True)
    ]
    return max(changes, default=0.0)
