"""Gradient descent with a learning rate that is right, and with one that is too large.

    python -m experiments.learning_rate

One linear weight, y = w x, and its error E(w) = 1/2 Σ (t − w x)², a parabola. A step multiplies the
distance from the minimum by 1 − ε Σx²; so it converges if, and only if, 0 < ε < 2/Σx², here 0.4.
Expected: at ε = 0.1 the distance halves with each step, at ε = 0.45 it changes sides and grows by a
quarter; both as measured on the path, to the rounding of float32; in a few seconds.
Slides "Normal Learning Rate", "Too large Learning Rate".
"""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from dl_jax import backprop, report
from dl_jax.losses import half_squared_error
from experiments.options import Output, main
from experiments.record import Record
from experiments.recording import recording

INPUTS, TARGETS = np.array([1.0, 2.0], np.float32), np.array([2.0, 4.0], np.float32)
START = 0.0


@dataclass(frozen=True)
class Config(Output):
    """One weight, and two learning rates."""

    normal: float = 0.1
    """The learning rate that should converge."""
    too_large: float = 0.45
    """The learning rate that should not."""
    steps: int = 6


def run(config: Config) -> Record:
    """Walk down the curve with both learning rates, compare with theory, write the run folder.

    Raises:
        ValueError: for a learning rate that is not above 0 and at most 1, or steps not in 1..20.
    """
    for name in ("normal", "too_large"):
        if not 0 < getattr(config, name) <= 1:
            raise ValueError(
                f"{name}: expected a learning rate above 0 and at most 1, "
                f"got {getattr(config, name)}"
            )
    if not 1 <= config.steps <= 20:
        raise ValueError(f"steps: expected 1 to 20, got {config.steps}")
    power = float(np.sum(INPUTS**2))
    minimum = float(np.sum(INPUTS * TARGETS)) / power
    rates = {"Normal": config.normal, "Too large": config.too_large}
    with recording(
        "learning_rate",
        config,
        "Learning rates: normal and too large",
        f"Gradient descent on the error of one weight. It converges for learning rates below "
        f"2/Σx² = {2 / power:g}; above, each step overshoots by more than the one before.",
    ) as record:
        walks = {name: _walk(rate, config.steps) for name, rate in rates.items()}
        differences = []
        for name, walk in walks.items():
            distance = walk - minimum
            # By least squares over all steps: a single quotient near the minimum is all rounding.
            factor = float(distance[1:] @ distance[:-1] / (distance[:-1] @ distance[:-1]))
            theory = 1 - rates[name] * power
            differences.append(abs(factor - theory))
            record.add_figure(
                f"{name.lower()}: |w − minimum| is multiplied by",
                abs(factor),
                expected=abs(theory),
                bound=1.0,
                direction="<=" if name == "Normal" else ">=",
                source=f"lecture, slide “{name} Learning Rate”",
            )
        record.add_figure(
            "factor of a step against 1 − ε Σx², largest difference",
            max(differences),
            expected=0.0,
            bound=1e-5,
            direction="<=",
            source="dE/dw = −Σ x (t − w x)",
        )
        titled = {f"{name}, ε = {rates[name]:g}": walk for name, walk in walks.items()}
        path = record.folder / "descent.png"
        record.pictures.append(report.plot_descent(titled, _errors, minimum, path))
        columns = [v.tolist() for walk in walks.values() for v in (walk, _errors(walk))]
        record.add_table(
            f"The weight and its error; x = {INPUTS.tolist()}, t = {TARGETS.tolist()}",
            ("Step", *(f"{column}, ε = {e:g}" for e in rates.values() for column in ("w", "E"))),
            list(zip(range(config.steps + 1), *columns, strict=True)),
        )
    return record


def _walk(rate: float, steps: int) -> np.ndarray:
    """The weight before the first step and after each, `[steps + 1]`."""
    weights = [jnp.array([START])]
    for _ in range(steps):
        w = weights[-1]
        change = backprop.linear_delta_rule(
            w, jnp.asarray(INPUTS)[:, None], jnp.asarray(TARGETS), rate
        )
        weights.append(w + change)
    return np.concatenate(weights)


def _errors(weights: np.ndarray) -> np.ndarray:
    """E of each weight, `[n]`."""
    outputs = jnp.asarray(weights)[:, None] * jnp.asarray(INPUTS)[None]
    return np.array([half_squared_error(y, jnp.asarray(TARGETS)) for y in outputs])


if __name__ == "__main__":
    main("learning_rate", Config, run)
