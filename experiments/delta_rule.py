"""The delta rule: a linear neuron and a sigmoid neuron find hidden weights again.

    python -m experiments.delta_rule

Four examples of three inputs, and the targets that a neuron with hidden weights would give. From
weights of 0, each neuron learns by its rule, Δw = Σ ε x (t − y) and Δw = Σ ε x y (1 − y) (t − y).
Expected: both find the hidden weights to within 0.001, and each Δw is −ε ∂E/∂w by automatic
differentiation, to the rounding of float32; in a few seconds. The first steps are in a table, to be
followed with a pencil.
Slides "gradient descent", "Learning Rate", "Let's compute the delta weights with a sigmoid neuron
output".
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from dl_jax import backprop, ops, report
from dl_jax.losses import half_squared_error
from experiments.options import Output, main
from experiments.record import Record
from experiments.recording import recording

INPUTS = np.array([[1, 0, 1], [0, 1, 1], [1, 1, 0], [1, 1, 1]], np.float32)
SLIDES = {
    "linear": "lecture, slide “gradient descent”",
    "sigmoid": "lecture, slide “The final step is the update of the network weights”",
}


class Neuron(NamedTuple):
    """A neuron: what it makes of z, and the rule that it learns by."""

    activation: Callable[[jax.Array], jax.Array]
    rule: Callable[[jax.Array, jax.Array, jax.Array, float], jax.Array]


NEURONS = {
    "linear": Neuron(lambda z: z, backprop.linear_delta_rule),
    "sigmoid": Neuron(ops.sigmoid, backprop.sigmoid_delta_rule),
}


@dataclass(frozen=True)
class Config(Output):
    """Two neurons, and the weights that they are to find."""

    weights: tuple[float, float, float] = (1.0, -0.5, 0.5)
    """The hidden ones."""
    linear_rate: float = 0.2
    """The learning rate of the linear neuron."""
    sigmoid_rate: float = 4.0
    """The learning rate of the sigmoid neuron; its y (1 − y) is at most 1/4."""
    steps: int = 60


def run(config: Config) -> Record:
    """Let both neurons learn, compare with the hidden weights and write the run folder.

    Raises:
        ValueError: for weights that are not finite, learning rates not above 0, steps not in
            1..10,000.
    """
    if not np.isfinite(config.weights).all():
        raise ValueError(f"weights: expected three finite numbers, got {config.weights}")
    rates = {"linear": config.linear_rate, "sigmoid": config.sigmoid_rate}
    for name, rate in rates.items():
        if not 0 < rate < np.inf:
            raise ValueError(f"{name}_rate: expected a learning rate above 0, got {rate}")
    if not 1 <= config.steps <= 10_000:
        raise ValueError(f"steps: expected 1 to 10,000, got {config.steps}")
    with recording(
        "delta_rule",
        config,
        "The delta rule finds hidden weights",
        "A linear and a sigmoid neuron start with weights of 0 and see what a neuron with hidden "
        "weights would answer. Step by step, the delta rule finds these weights.",
    ) as record:
        x, hidden = jnp.asarray(INPUTS), jnp.array(config.weights)
        targets = {name: neuron.activation(x @ hidden) for name, neuron in NEURONS.items()}
        record.add_table(
            "The examples",
            ("x₁", "x₂", "x₃", *(f"t of the {name} neuron" for name in targets)),
            [
                [*INPUTS[i].astype(int).tolist(), *(float(t[i]) for t in targets.values())]
                for i in range(len(INPUTS))
            ],
        )
        for name, neuron in NEURONS.items():
            _learn(record, name, neuron, targets[name], hidden, rates[name], config.steps)
    return record


def _learn(
    record: Record,
    name: str,
    neuron: Neuron,
    t: jax.Array,
    hidden: jax.Array,
    rate: float,
    steps: int,
) -> None:
    """Let one neuron learn; add its figures, its picture and the table of its first steps."""
    x = jnp.asarray(INPUTS)

    def error(w: jax.Array) -> jax.Array:
        return half_squared_error(neuron.activation(x @ w), t)

    def step(w: jax.Array, _: None) -> tuple[jax.Array, tuple[jax.Array, ...]]:
        change = neuron.rule(w, x, t, rate)
        autodiff = -rate * jax.grad(error)(w)
        return w + change, (w, error(w), change, autodiff)

    history = jax.lax.scan(step, jnp.zeros(3), length=steps + 1)[1]
    w, e, change, autodiff = history
    for quantity, value, bound, source in (
        ("found weights, largest error", jnp.abs(w[-1] - hidden).max(), 1e-3, SLIDES[name]),
        ("Δw against −ε ∂E/∂w", jnp.abs(change - autodiff).max(), 1e-6, "jax.grad"),
    ):
        record.add_figure(
            f"{name} neuron: {quantity}", float(value), expected=0.0, bound=bound, direction="<=",
            source=source,
        )  # fmt: skip
    record.add_table(
        f"The {name} neuron’s first steps, ε = {rate:g}",
        ("Step", "w₁", "w₂", "w₃", "E", "Δw₁", "Δw₂", "Δw₃"),
        [
            [k, *w[k].tolist(), float(e[k]), *change[k].tolist()]
            for k in range(min(6, steps + 1))
        ],
    )  # fmt: skip
    title = f"The {name} neuron, ε = {rate:g}"
    path = record.folder / f"{name}.png"
    arrays = np.asarray(w), np.asarray(e), np.asarray(hidden)
    record.pictures.append(report.plot_weights(*arrays, path, title=title))


if __name__ == "__main__":
    main("delta_rule", Config, run)
