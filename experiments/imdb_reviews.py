"""The lecture's classifier of film reviews: 16-16-1, RMSprop, batch 512, 20 epochs.

    python -m experiments.imdb_reviews

The first 10,000 training reviews are for validation. The network overfits, as in the lecture; it
is then trained afresh on all training reviews for the best number of epochs, and tested.
Expected: validation accuracy peaks near 0.886, at epoch 20 the validation loss is 1.5 times its
minimum or more, test accuracy about 0.880; in about 20 seconds on 2 cores.
Slides "from tensorflow.keras.datasets import imdb" to "Training and validation accuracy".
"""

from dataclasses import dataclass

import jax
import numpy as np
import optax

from dl_jax import backprop
from dl_jax.losses import BINARY
from dl_jax.models import create
from experiments import pictures, training
from experiments.options import Gradients, Training, main
from experiments.record import Record
from experiments.recording import recording
from experiments.sources import examples, held_out, obtain
from experiments.sweeps import sweep
from experiments.training import Task


@dataclass(frozen=True)
class Config(Training):
    """The lecture's classifier of film reviews."""

    num_epochs: int = 20
    batch_size: int = 512
    learning_rate: float = 1e-3
    validation_split: float = 0.4
    """Share of the training reviews held out, the first ones: 10,000 of 25,000."""
    features: tuple[int, ...] = (16, 16, 1)
    gradients: Gradients = "autodiff"
    """By automatic differentiation, or the lecture's derivation in `dl_jax.backprop`."""


def task_of(config: Config) -> Task:
    """Return the network, its objective, optimizer and hand derivation."""
    model = create("imdb_bow", features=config.features)
    optimizer = rmsprop(config.learning_rate)
    return Task(model, BINARY, optimizer, backprop.bag_of_words_classifier(), rmsprop)


def rmsprop(learning_rate: float | jax.Array) -> optax.GradientTransformation:
    """Return RMSprop with Keras' decay and epsilon."""
    return optax.rmsprop(learning_rate, decay=0.9, eps=1e-7)


def run(config: Config) -> Record:
    """Train, find the best number of epochs, train afresh, test and write the run folder."""
    with recording(
        "imdb_reviews",
        config,
        "IMDB, bag of words",
        "Two hidden layers of 16 with ReLU over the words of a review, and a sigmoid.",
    ) as record:
        with record.timed("data"):
            source = obtain("imdb_reviews", config.data)
            everything, test = examples(source.dataset.train), examples(source.dataset.test)
        record.add_data(source)
        train, validation = held_out(everything, config.validation_split, first=True)
        task = task_of(config)
        model = task.model
        record.add_model("imdb_bow", model, train.inputs.shape[1:], np.int32, outputs=1)
        if config.sweep:
            sweep(record, config, task, train, num_epochs=config.num_epochs, validation=validation)
            return record

        done = training.train(
            record, task, train,
            num_epochs=config.num_epochs, batch_size=config.batch_size, seed=config.seed,
            gradients=config.gradients, validation=validation, seeds=config.seeds,
        )  # fmt: skip
        best = int(np.argmin([row["val_loss"] for row in done.history])) + 1
        print(f"Training afresh on all {len(everything.targets)} reviews for {best} epochs")
        again = training.train(
            record, task, everything,
            num_epochs=best, batch_size=config.batch_size, seed=config.seed,
            gradients=config.gradients, keep_history=False, seeds=config.seeds,
        )  # fmt: skip
        training.keep_weights(record, "imdb_bow", task, again.state, test, source.dataset.info)
        logits, *_ = each = training.logits_of_each(record, model, again, test.inputs)
        test_losses, accuracies = training.figures_of_each(BINARY, each, test)

        record.add_figure(
            "best validation accuracy",
            [max(row["val_accuracy"] for row in one.history) for one in done.members],
            expected=0.8863,
            bound=0.880,
            source="lecture, slide 'Epoch 1/20'",
        )
        record.add_figure(
            "last validation loss / lowest",
            [_over_lowest(one.history) for one in done.members],
            expected=3.0,
            bound=1.5,
            source="lecture, slide 'Epoch 1/20': 0.8541 / 0.2842",
        )
        record.add_figure(
            "test accuracy, trained afresh",
            accuracies,
            expected=0.88,
            bound=0.872,
            source="Chollet, Deep Learning with Python",
        )
        record.add_figure("test loss, trained afresh", test_losses, direction="<=")
        pictures.add_reviews(record, source.dataset, logits)
        names = source.dataset.info.class_names
        pictures.draw_confusion(record, BINARY.predict(logits), test.targets, names)
    return record


def _over_lowest(history: list[dict[str, float]]) -> float:
    """The last validation loss over the lowest one."""
    losses = [row["val_loss"] for row in history]
    return losses[-1] / min(losses)


if __name__ == "__main__":
    main("imdb_reviews", Config, run)
