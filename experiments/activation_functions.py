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
from experiments.record import Record, recording

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
        "Three activation functions, each beside its derivative.",
    ) as record:
        steps = np.arange(-200, 201, dtype=np.float32)  # 0 is one of them
        z = jnp.asarray(config.limit / 200 * steps)
        curves = {}
        for name, (function, pair) in FUNCTIONS.items():
            y, residuals = pair.forward(z)
            (slope,) = pair.backward(residuals, jnp.ones_like(z))
            autodiff = jax.vmap(jax.grad(function))(z)
            curves[name] = (np.asarray(y), np.asarray(slope))
            record.add_figure(
                f"{name}: largest derivative",
                float(slope.max()),
                expected=0.25 if name == "sigmoid" else 1.0,
                bound=0.25 if name == "sigmoid" else 1.0,
                direction="<=",
                source=SLIDES[name],
            )
            record.add_figure(
                f"{name}: largest difference from automatic differentiation",
                float(jnp.abs(slope - autodiff).max()),
                expected=0.0,
                bound=ROUNDING,
                direction="<=",
                source="jax.grad",
            )
        record.add_figure(
            "largest difference of tanh(z) and 2 σ(2z) − 1",
            float(jnp.abs(ops.tanh(z) - backprop.tanh_from_sigmoid(z)).max()),
            expected=0.0,
            bound=ROUNDING,
            direction="<=",
            source=SLIDES["tanh"],
        )
        path = record.folder / "functions.png"
        record.pictures.append(
            report.plot_functions(np.asarray(z), curves, path, formulas=FORMULAS)
        )
    return record


if __name__ == "__main__":
    main("activation_functions", Config, run)
