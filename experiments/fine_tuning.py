"""LeNet-5 learns the digits 0 to 4, and with what it has seen then 5 to 9 from a few of them.

    python -m experiments.fine_tuning
    python -m experiments.fine_tuning --num-examples 50 --num-epochs 100

The first network trains on all images of 0 to 4. For 5 to 9 there are few, from which four others
learn: one from new parameters, and three from the first one's, of which the last layer, the three
layers of neurons or all layers are trained. What is frozen gets no gradient: XLA leaves out what
would compute it. The output layer is new in each.
Expected: layers that are frozen keep every bit; with frozen convolutions the test accuracy is
higher than from new parameters.
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import PyTree

from dl_jax.losses import MULTICLASS
from dl_jax.models import create
from dl_jax.train import Checkpoint, Examples, TrainState, as_model_inputs
from experiments import training
from experiments.options import Options, main
from experiments.record import Record
from experiments.recording import recording
from experiments.sources import examples, obtain
from experiments.training import Task

MODEL = create("lenet5", pad=2, num_classes=5)
LEARNING_RATE = 1e-3


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
COMPARED = ("the layers of neurons", "from new parameters")
"""What the gain is of, and over what."""


@dataclass(frozen=True)
class Config(Options):
    """LeNet-5 on digits 0 to 4, then on a few of 5 to 9."""

    num_examples: int = 100
    """Of the digits 5 to 9, all together."""
    num_epochs: int = 60
    """On them; on the digits 0 to 4 there are 3."""
    batch_size: int = 16
    seeds: int = 1
    """How many times everything is learned, from --seed on; figures are their means."""


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


def run(config: Config) -> Record:
    """Train the first network and the others, and write the run folder.

    Raises:
        ValueError: if there are fewer examples than asked for.
    """
    with recording(
        "fine_tuning",
        config,
        "Fine-tuning",
        f"LeNet-5 knows the digits 0 to 4 and learns 5 to 9 from {config.num_examples} images.",
    ) as record:
        with record.timed("data"):
            source = obtain("mnist", config.data)
            train, test = examples(source.dataset.train), examples(source.dataset.test)
        record.add_data(source)
        low, high = of_digits(train, 0), of_digits(train, 5)
        if not config.batch_size <= config.num_examples <= len(high.targets):
            raise ValueError(
                f"num_examples: expected from {config.batch_size}, a batch, to "
                f"{len(high.targets)}, got {config.num_examples}"
            )
        few = Examples(*(a[: config.num_examples] for a in high))
        rows: list[tuple[int, str, int, float, float]] = []
        columns = ("seed", "trained", "parameters", "test accuracy", "seconds")
        record.add_table(f"Digits 5 to 9 from {config.num_examples} images", columns, rows)
        changes: list[float] = []
        for seed in range(config.seed, config.seed + config.seeds):
            first = training.train(
                record, Task(MODEL, MULTICLASS, optax.adam(LEARNING_RATE)), low,
                num_epochs=3, batch_size=128, seed=seed, validation=of_digits(test, 0),
                keep_history=seed == config.seed,
            ).state  # fmt: skip
            for variant in VARIANTS:
                row, changed = _tuned(record, variant, config, seed, first, few, of_digits(test, 5))
                rows.append(row)
                changes.append(changed)
        accuracies = {v.name: [row[3] for row in rows if row[1] == v.name] for v in VARIANTS}
        for name, values in accuracies.items():
            record.add_figure(f"test accuracy, {name}", values)
        pairs = zip(*(accuracies[name] for name in COMPARED), strict=True)
        record.add_figure("gain with frozen convolutions", [a - b for a, b in pairs], bound=0.0)
        record.add_figure(
            "largest change of a frozen parameter", max(changes), bound=0.0, direction="<="
        )
    return record


def of_digits(all_examples: Examples, first: int) -> Examples:
    """Return the examples of five digits from the first on, as classes 0 to 4."""
    inputs, targets = (np.asarray(a) for a in all_examples)
    kept = (targets >= first) & (targets < first + 5)
    return Examples(jnp.asarray(inputs[kept]), jnp.asarray(targets[kept] - first))


def _tuned(
    record: Record,
    variant: Variant,
    config: Config,
    seed: int,
    first: TrainState,
    few: Examples,
    test: Examples,
) -> tuple[tuple[int, str, int, float, float], float]:
    """A variant's row, and the largest change of what was frozen."""
    key = jax.random.key(seed + 1)
    new = jax.jit(MODEL.init)(key, as_model_inputs(few.inputs[:1]))["params"]
    params = {**first.params, "output": new["output"]} if variant.from_first else new
    optimizer = frozen(optax.adam(LEARNING_RATE), params, variant.trained)
    state = TrainState(jnp.zeros((), jnp.int32), params, {}, optimizer.init(params))
    done = training.train(
        record, Task(MODEL, MULTICLASS, optimizer), few,
        num_epochs=config.num_epochs, batch_size=config.batch_size, seed=seed + 1,
        keep_history=False, start=Checkpoint(state),
    )  # fmt: skip
    logits = training.logits_of(record, MODEL, done.state, test.inputs)
    _, accuracy = training.test_figures(MULTICLASS, logits, test)
    seconds = sum(row["seconds"] for row in done.history)
    print(f"{variant.name}: test accuracy {accuracy:.4f}", flush=True)
    size = sum(a.size for name in variant.trained for a in jax.tree.leaves(params[name]))
    fixed = [name for name in params if name not in variant.trained]
    changes = [
        float(np.abs(np.asarray(a) - np.asarray(b)).max())
        for name in fixed
        for a, b in zip(*map(jax.tree.leaves, (params[name], done.state.params[name])), strict=True)
    ]
    return (seed, variant.name, size, accuracy, seconds), max(changes, default=0.0)


if __name__ == "__main__":
    main("fine_tuning", Config, run)
