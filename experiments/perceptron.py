"""The lecture's example of one neuron: hours of sleep and of study, above or below average.

    python -m experiments.perceptron

The same neuron learns twice: by the perceptron rule, and as a sigmoid neuron by gradient descent.
The exam results are generated, so the best possible rule is known: expected is its accuracy on the
test students, about 0.95, and each neuron within 0.05 of it; in about 5 seconds on 2 cores.
Slides "Perceptron", "Sigmoid Function", "The Neuron".
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jaxtyping import Array, Float, Int, Key

from dl_jax import report
from dl_jax.losses import BINARY
from dl_jax.models import create
from dl_jax.train import Examples
from experiments import training
from experiments.options import Options, main
from experiments.record import Record, recording

_POINTS_AN_HOUR = np.array([4.0, 6.0])  # of sleep, of study
_LUCK = 4.0  # standard deviation of the points that no hours explain


@dataclass(frozen=True)
class Config(Options):
    """One neuron on exam results; they are generated, so `--data` changes nothing."""

    num_epochs: int = 30
    num_students: int = 400
    """In the training and in the test split each."""
    batch_size: int = 20
    learning_rate: float = 0.3


class Neuron(NamedTuple):
    """Weights and bias; the decision is +1 where `w . x + b >= 0`, and -1 elsewhere."""

    w: Float[Array, " k"]
    b: Float[Array, ""]


def perceptron_rule(
    x: Float[Array, "n k"], t: Int[Array, " n"], num_epochs: int, learning_rate: float
) -> Neuron:
    """Learn from one example after the other: `w <- w + epsilon x (t - h) / 2`.

    Only a wrong decision changes the weights (Rosenblatt 1958). The mean of all the weights on the
    way is returned, which unlike the last ones settles where no line separates the classes (Freund
    and Schapire 1999).

    Args:
        x: inputs.
        t: targets, -1 or +1.
        num_epochs: how many times each example is seen.
        learning_rate: epsilon.
    """

    def see(neuron, example):
        x, t = example
        h = jnp.where(neuron.w @ x + neuron.b >= 0, 1, -1)
        change = learning_rate * (t - h) / 2
        neuron = Neuron(neuron.w + change * x, neuron.b + change)
        return neuron, neuron

    def epoch(neuron, _):
        return lax.scan(see, neuron, (x, t))

    start = Neuron(jnp.zeros(x.shape[1]), jnp.zeros(()))
    _, way = lax.scan(epoch, start, length=num_epochs)
    return jax.tree.map(lambda a: a.mean((0, 1)), way)


def exam(key: Key[Array, ""], num_students: int) -> tuple[Examples, np.ndarray]:
    """Return hours `[n, 2]` with 1 for a result above average; and the expected results."""
    hours_key, luck_key = jax.random.split(key)
    low, high = jnp.array([4.0, 0.0]), jnp.array([10.0, 8.0])
    hours = jax.random.uniform(hours_key, (num_students, 2), minval=low, maxval=high)
    expected = np.asarray(hours) @ _POINTS_AN_HOUR
    results = expected + _LUCK * np.asarray(jax.random.normal(luck_key, (num_students,)))
    above = (results > np.dot(_POINTS_AN_HOUR, [7.0, 4.0])).astype(np.int32)
    return Examples(hours, jnp.asarray(above)), expected


def run(config: Config) -> Record:
    """Train both ways, compare with the best possible rule and write the run folder."""
    with recording(
        "perceptron",
        config,
        "One neuron: sleep, study and the exam",
        "Whether a student does better than average, from hours of sleep and of study.",
    ) as record:
        train_key, test_key = jax.random.split(jax.random.key(config.seed))
        with record.timed("data"):
            train, _ = exam(train_key, config.num_students)
            test, expected_results = exam(test_key, config.num_students)
        record.result["data"].update(
            name="exam",
            source=f"generated from seed {config.seed}",
            num_train=config.num_students,
            num_test=config.num_students,
        )
        model = create("perceptron")
        record.add_model("perceptron", model, (2,), np.float32)

        center, scale = np.mean(train.inputs, axis=0), np.std(train.inputs, axis=0)
        scaled, scaled_test = (
            split._replace(inputs=(split.inputs - center[None]) / scale[None])
            for split in (train, test)
        )
        with record.timed("training"):
            signs = 2 * train.targets - 1
            rule = perceptron_rule(
                jnp.asarray(scaled.inputs),
                jnp.asarray(signs),
                config.num_epochs,
                config.learning_rate,
            )
        done = training.train(
            record, model, BINARY, optax.sgd(config.learning_rate), scaled,
            num_epochs=config.num_epochs, batch_size=config.batch_size, seed=config.seed,
            validation=scaled_test,
        )  # fmt: skip
        dense = done.state.params["Dense_0"]
        neurons = {
            "perceptron rule": rule,
            "sigmoid neuron": Neuron(dense["kernel"][:, 0], dense["bias"][0]),
        }
        middle = np.dot(_POINTS_AN_HOUR, [7.0, 4.0])
        best = float(np.mean((expected_results > middle) == test.targets))
        for name, (w, b) in neurons.items():
            right = ((scaled_test.inputs @ w + b) >= 0) == test.targets
            record.add_figure(
                f"test accuracy, {name}",
                float(np.mean(right)),
                expected=best,
                bound=best - 0.05,
                source="the rule that generated the results",
            )
        _draw(record, test, neurons, center, scale)
    return record


def _draw(
    record: Record,
    test: Examples,
    neurons: dict[str, Neuron],
    center: np.ndarray,
    scale: np.ndarray,
) -> None:
    """Add the picture of the decision boundaries, brought back to hours."""
    in_hours = {
        name: (np.asarray(w) / scale, float(b - np.sum(w * center / scale)))
        for name, (w, b) in neurons.items()
    }
    w, b = in_hours["sigmoid neuron"]
    record.pictures.append(
        report.plot_decision_boundary(
            np.asarray(test.inputs),
            np.asarray(test.targets),
            in_hours,
            record.folder / "boundary.png",
            probability=lambda hours: 1 / (1 + np.exp(-(hours @ w + b))),
        )
    )


if __name__ == "__main__":
    main(Config, run)
