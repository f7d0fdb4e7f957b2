"""The softmax: a strong and a weak prediction, and how each output depends on every logit.

    python -m experiments.softmax

Ten logits become ten probabilities for the digits 0 to 9. Expected: they sum to 1; the strong
prediction has an entry close to 1, the weak one several that are about equally likely; the Jacobian
y_i (δ_ij − y_j) is that of automatic differentiation, has no zero, and its rows sum to 0; in a few
seconds. `--temperature 5` makes the strong prediction weak, `--temperature 0.05` the weak one
strong.
Slides "Softmax".
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from dl_jax import backprop, ops, report
from experiments.options import Output, main
from experiments.record import Record
from experiments.recording import recording

DIGITS = [str(digit) for digit in range(10)]
Digits = tuple[float, float, float, float, float, float, float, float, float, float]
# P(y = i | x) = softmax_i(W x + b), with three classes and numbers for mental arithmetic.
W = np.array([[0, 1], [1, 0], [1, -1]], np.float32)
B = np.array([0, 0, 1], np.float32)
SUM = "lecture, slide “Softmax”: Σ pᵢ = 1"
STRENGTH = "lecture, slide “Softmax”: strong and weak predictions"
DEPENDENCE = "lecture, slide “Softmax”: an output depends on all the others"


@dataclass(frozen=True)
class Config(Output):
    """Logits to turn into probabilities."""

    strong: Digits = (0.5, 0.2, 1.0, 0.8, 0.3, 0.1, 0.0, 8.0, 0.6, 1.5)
    """Logits of a network that is sure."""
    weak: Digits = (0.2, 0.1, 0.4, 0.3, 2.0, 0.5, 0.1, 1.8, 0.6, 2.2)
    """Logits of a network that is not."""
    temperature: float = 1.0
    """All of these logits are divided by it: the lower, the stronger the prediction."""
    x: tuple[float, float] = (1.0, 2.0)
    """The inputs of the small softmax layer."""


def run(config: Config) -> Record:
    """Compute the probabilities and the Jacobian, compare them with the lecture, write the folder.

    Raises:
        ValueError: for a temperature that is not above 0, or numbers that are not finite.
    """
    if not 0 < config.temperature < np.inf:
        raise ValueError(f"temperature: expected a number above 0, got {config.temperature}")
    for name in ("strong", "weak", "x"):
        if not np.isfinite(getattr(config, name)).all():
            raise ValueError(f"{name}: expected finite numbers, got {getattr(config, name)}")
    with recording(
        "softmax",
        config,
        "Softmax: strong and weak predictions",
        "The softmax turns any ten numbers, the logits, into ten probabilities that sum to 1. "
        "Every probability depends on every logit.",
    ) as record:
        logits = {"strong": jnp.array(config.strong), "weak": jnp.array(config.weak)}
        predictions = {name: ops.softmax(z / config.temperature) for name, z in logits.items()}
        sums = [abs(float(p.sum()) - 1) for p in predictions.values()]
        z = jnp.asarray(W) @ jnp.array(config.x) + jnp.asarray(B)
        y = ops.softmax(z)
        jacobian = backprop.softmax_jacobian(y)
        autodiff = jax.jacobian(ops.softmax)(z)
        others = jnp.abs(jacobian)[~np.eye(len(y), dtype=bool)]
        strong, weak = (float(p.max()) for p in predictions.values())
        record.add_figure(
            "strong prediction, largest probability", strong, expected=1.0, bound=0.9,
            source=STRENGTH,
        )  # fmt: skip
        record.add_figure(
            "weak prediction, largest probability", weak, bound=0.5, direction="<=",
            source=STRENGTH,
        )  # fmt: skip
        record.add_figure(
            "smallest |∂yᵢ/∂zⱼ| with i ≠ j", float(others.min()), bound=1e-6, source=DEPENDENCE
        )
        for name, value, source in (
            ("sum of the probabilities, largest difference from 1", max(sums), SUM),
            ("row of the Jacobian, largest sum", jnp.abs(jacobian.sum(1)).max(), SUM),
            ("yᵢ (δᵢⱼ − yⱼ) against jax.jacobian, largest difference",
             jnp.abs(jacobian - autodiff).max(), "jax.jacobian"),
        ):  # fmt: skip
            record.add_figure(
                name, float(value), expected=0.0, bound=1e-6, direction="<=", source=source
            )
        titled = {f"A {name} prediction": np.asarray(p) for name, p in predictions.items()}
        record.pictures += [
            report.plot_probabilities(titled, DIGITS, record.folder / "predictions.png"),
            report.plot_jacobian(np.asarray(jacobian), record.folder / "jacobian.png"),
        ]
        record.add_table(
            f"Logits and probabilities, temperature {config.temperature:g}",
            ("Digit", *(f"{name}: {what}" for name in logits for what in ("z", "p"))),
            [
                [
                    digit,
                    *(float(v[i]) for name in logits for v in (logits[name], predictions[name])),
                ]
                for i, digit in enumerate(DIGITS)
            ],
        )
        record.add_table(
            f"P(y = i | x) = softmaxᵢ(Wx + b) for x = {list(config.x)}",
            ("i", "Wᵢ", "bᵢ", "zᵢ = Wᵢx + bᵢ", "e^zᵢ", "P(y = i | x)"),
            [
                [str(i + 1), str(W[i].tolist()), *map(float, (B[i], z[i], jnp.exp(z[i]), y[i]))]
                for i in range(len(y))
            ],
        )
    return record


if __name__ == "__main__":
    main("softmax", Config, run)
