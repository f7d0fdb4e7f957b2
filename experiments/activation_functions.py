"""The lecture's activation functions and their derivatives.

    python -m experiments.activation_functions

Sigmoid, tanh and ReLU, with the derivatives that were derived by hand. Expected: they are those of
automatic differentiation, the sigmoid's is never above 1/4 and tanh's never above 1, and
tanh(z) = 2 σ(2z) − 1, all to the rounding of float32; in a few seconds.
Slides "Sigmoid Function", "Tanh", "Restricted linear unit (ReLU)".
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from dl_jax import backprop, ops, report
from experiments.options import Output, main
from experiments.record import Record
from experiments.recording import recording

ROUNDING = 1e-6  # a few units in the last place of float32, for values around 1
FUNCTIONS = {
    "sigmoid": (ops.sigmoid, backprop.SIGMOID),
    "tanh": (ops.tanh, backprop.TANH),
    "ReLU": (ops.relu, backprop.RELU),
}
FORMULAS = {
    "sigmoid": ("σ(z) = 1 / (1 + e⁻ᶻ)", "σ′ = σ (1 − σ)"),
    "tanh": ("tanh z = 2 σ(2z) − 1", "tanh′ = 1 − tanh²"),
    "ReLU": ("ReLU(z) = max(0, z)", "ReLU′ = 1 where z > 0"),
}
SLIDES = {
    "sigmoid": "lecture, slide “Sigmoid Function”",
    "tanh": "lecture, slide “Tanh”",
    "ReLU": "lecture, slide “Restricted linear unit (ReLU)”",
}


@dataclass(frozen=True)
class Config(Output):
    """Sigmoid, tanh and ReLU, and their derivatives."""

    limit: float = 6.0
    """The curves go from -limit to limit."""


def run(config: Config) -> Record:
    """Compute the curves, compare them with the lecture and write the run folder.

    Raises:
        ValueError: unless the limit is above 0 and at most 100.
    """
    if not 0 < config.limit <= 100:
        raise ValueError(f"limit: expected a number above 0 and at most 100, got {config.limit}")
    with recording(
        "activation_functions",
        config,
        "Sigmoid, tanh and ReLU",
        "Three activation functions, each beside its derivative. The steeper the function, the "
        "more a neuron learns there; where its derivative is near 0, it hardly learns.",
    ) as record:
        steps = np.arange(-200, 201, dtype=np.float32)  # 0 is one of them
        z = jnp.asarray(config.limit / 200 * steps)
        curves = {name: _with_derivative(pair, z) for name, (_, pair) in FUNCTIONS.items()}
        for name, (_, slope) in curves.items():
            largest = 0.25 if name == "sigmoid" else 1.0
            record.add_figure(
                f"largest derivative, {name}",
                float(slope.max()),
                expected=largest,
                bound=largest,
                direction="<=",
                source=SLIDES[name],
            )
        identity = jnp.abs(ops.tanh(z) - backprop.tanh_from_sigmoid(z))
        autodiff = [
            np.abs(curves[name][1] - jax.vmap(jax.grad(function))(z)).max()
            for name, (function, _) in FUNCTIONS.items()
        ]
        for name, difference, source in (
            ("tanh z against 2 σ(2z) − 1, largest difference", identity.max(), SLIDES["tanh"]),
            ("derivatives against jax.grad, largest difference", max(autodiff), "jax.grad"),
        ):
            record.add_figure(
                name, float(difference), expected=0.0, bound=ROUNDING, direction="<=", source=source
            )
        path = record.folder / "functions.png"
        picture = report.plot_functions(np.asarray(z), curves, path, formulas=FORMULAS)
        record.pictures.append(picture)
        few = jnp.arange(-3.0, 4.0)
        columns = [few, *(v for _, pair in FUNCTIONS.values() for v in _with_derivative(pair, few))]
        record.add_table(
            "Some values, to check with a pocket calculator",
            ("z", "σ", "σ′", "tanh", "tanh′", "ReLU", "ReLU′"),
            [[f"{row[0]:.0f}", *row[1:]] for row in np.stack(columns, -1).tolist()],
        )
    return record


def _with_derivative(pair: backprop.Pair, z: jax.Array) -> tuple[np.ndarray, np.ndarray]:
    """The function and its hand-derived derivative, `[n]` each."""
    y, residuals = pair.forward(z)
    (slope,) = pair.backward(residuals, jnp.ones_like(z))
    return np.asarray(y), np.asarray(slope)


if __name__ == "__main__":
    main("activation_functions", Config, run)
