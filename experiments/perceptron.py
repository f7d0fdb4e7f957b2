"""The lecture's example of one neuron: hours of sleep and of study, above or below average.

    python -m experiments.perceptron

The same neuron learns twice: by the perceptron rule, and as a sigmoid neuron by gradient descent.
The exam results are generated, so the best possible rule is known: expected is its accuracy on the
test students, about 0.94, and each neuron within 0.05 of it; in about 5 seconds on 2 cores.
Slides "Perceptron", "Sigmoid Function", "The Neuron".
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import optax

from dl_jax import report
from dl_jax.losses import BINARY
from dl_jax.models import create
from dl_jax.train import Examples
from experiments import training
from experiments.exam import exam
from experiments.options import Training, main
from experiments.perceptron_rule import Neuron, perceptron_rule
from experiments.record import Record
from experiments.recording import recording
from experiments.sweeps import sweep


@dataclass(frozen=True)
class Config(Training):
    """One neuron on exam results; they are generated, so `--data` changes nothing."""

    num_epochs: int = 30
    num_students: int = 400
    """In the training and in the test split each."""
    batch_size: int = 16
    learning_rate: float = 0.3


def run(config: Config) -> Record:
    """Train both ways, compare with the best possible rule and write the run folder."""
    with recording(
        "perceptron",
        config,
        "One neuron: sleep, study and the exam",
        "Whether a student does better than average, from hours of sleep and of study.",
    ) as record:
        # Keys that training does not take: the first ones that the seed's gives are its own.
        *_, train_key, test_key = jax.random.split(jax.random.key(config.seed), 5)
        with record.timed("data"):
            train, _ = exam(train_key, config.num_students)
            test, best = exam(test_key, config.num_students)
        record.result["data"] = {
            "name": "exam",
            "source": f"generated from seed {config.seed}",
            "digest": None,
            "embedded": False,
            "reason": None,
            "num_train": config.num_students,
            "num_test": config.num_students,
        }
        model = create("perceptron")
        record.add_model("perceptron", model, (2,), np.float32, outputs=1)

        center, scale = np.mean(train.inputs, axis=0), np.std(train.inputs, axis=0)
        scaled, scaled_test = (
            split._replace(inputs=(split.inputs - center[None]) / scale[None])
            for split in (train, test)
        )
        task = training.Task(model, BINARY, optax.sgd(config.learning_rate), optimizer_of=optax.sgd)
        if config.sweep:
            sweep(
                record, config, task, scaled, num_epochs=config.num_epochs, validation=scaled_test
            )
            return record
        with record.timed("training"):
            x, t = jnp.asarray(scaled.inputs), jnp.asarray(2 * train.targets - 1)
            rule = perceptron_rule(x, t, config.num_epochs, config.learning_rate)
        done = training.train(
            record, task, scaled,
            num_epochs=config.num_epochs, batch_size=config.batch_size, seed=config.seed,
            validation=scaled_test, seeds=config.seeds,
        )  # fmt: skip
        dense = [member.state.params["Dense_0"] for member in done.members]
        sigmoid = [Neuron(one["kernel"][:, 0], one["bias"][0]) for one in dense]
        for name, each in {"perceptron rule": [rule], "sigmoid neuron": sigmoid}.items():
            right = [((scaled_test.inputs @ w + b) >= 0) == test.targets for w, b in each]
            record.add_figure(
                f"test accuracy, {name}",
                [float(np.mean(one)) for one in right],
                expected=best,
                bound=best - 0.05,
                source="the rule that generated the results",
            )
        neurons = {"perceptron rule": rule, "sigmoid neuron": sigmoid[0]}
        _draw(record, test, neurons, (center, scale))
    return record


def _draw(
    record: Record,
    test: Examples,
    neurons: dict[str, Neuron],
    scaling: tuple[np.ndarray, np.ndarray],
) -> None:
    """Add the picture of the decision boundaries, brought back to hours."""
    center, scale = scaling
    in_hours = {
        name: (np.asarray(w) / scale, float(b - np.sum(w * center / scale)))
        for name, (w, b) in neurons.items()
    }
    w, b = in_hours["sigmoid neuron"]
    record.pictures.append(
        report.plot_decision_boundary(
            np.asarray(test.inputs), np.asarray(test.targets), in_hours,
            record.folder / "boundary.png",
            probability=lambda hours: 1 / (1 + np.exp(-(hours @ w + b))),
        )
    )  # fmt: skip


if __name__ == "__main__":
    main("perceptron", Config, run)
