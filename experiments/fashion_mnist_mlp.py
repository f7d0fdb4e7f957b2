"""The lecture's feed-forward network on Fashion-MNIST: 64-64-10, Adam, batch 32, 5 epochs.

    python -m experiments.fashion_mnist_mlp

Expected: test accuracy about 0.874 after 5 epochs, in about 10 seconds on 2 cores.
Slides "This is a dataset of 60,000 28x28 grayscale images" to `model.fit(x_train, y_train, ...)`.
"""

from dataclasses import dataclass

import numpy as np

from dl_jax import backprop
from dl_jax.losses import MULTICLASS
from dl_jax.models import create
from experiments import pictures, training
from experiments.options import Gradients, Training, main
from experiments.record import Record
from experiments.recording import recording
from experiments.sources import examples, obtain
from experiments.sweeps import sweep
from experiments.training import Task, adam


@dataclass(frozen=True)
class Config(Training):
    """The lecture's feed-forward network on Fashion-MNIST."""

    num_epochs: int = 5
    batch_size: int = 32
    learning_rate: float = 1e-3
    features: tuple[int, ...] = (64, 64, 10)
    """Outputs of each layer; the last are the classes."""
    gradients: Gradients = "autodiff"
    """By automatic differentiation, or the lecture's derivation in `dl_jax.backprop`."""


def task_of(config: Config) -> Task:
    """Return the network, its objective, optimizer and hand derivation."""
    model = create("fashion_mlp", features=config.features)
    optimizer = adam(config.learning_rate)
    return Task(model, MULTICLASS, optimizer, backprop.mlp(), adam)


def run(config: Config) -> Record:
    """Train, test and write the run folder."""
    with recording(
        "fashion_mnist_mlp",
        config,
        "Fashion-MNIST, feed-forward network",
        "Two hidden layers of 64 with ReLU and a softmax over ten kinds of clothing. "
        "The validation curves are the test images'.",
    ) as record:
        with record.timed("data"):
            source = obtain("fashion_mnist", config.data)
            train, test = examples(source.dataset.train), examples(source.dataset.test)
        record.add_data(source)
        task = task_of(config)
        model = task.model
        record.add_model("fashion_mlp", model, train.inputs.shape[1:], np.float32, outputs=10)
        if config.sweep:
            sweep(record, config, task, train, num_epochs=config.num_epochs, validation=test)
            return record

        done = training.train(
            record,
            task,
            train,
            num_epochs=config.num_epochs,
            batch_size=config.batch_size,
            seed=config.seed,
            gradients=config.gradients,
            validation=test,
            seeds=config.seeds,
        )
        training.keep_weights(record, "fashion_mlp", task, done.state, test, source.dataset.info)
        logits, *_ = each = training.logits_of_each(record, model, done, test.inputs)
        losses, accuracies = training.figures_of_each(MULTICLASS, each, test)
        record.add_figure(
            "test accuracy",
            accuracies,
            expected=0.874,
            bound=0.862,
            source="the lecture's network and settings, 5 epochs",
        )
        record.add_figure("test loss", losses, direction="<=")

        names = source.dataset.info.class_names
        pictures.draw_samples(record, MULTICLASS, logits, test, names)
        pictures.draw_confusion(record, MULTICLASS.predict(logits), test.targets, names)
    return record


if __name__ == "__main__":
    main("fashion_mnist_mlp", Config, run)
