"""The lecture's convolutional network on MNIST: Adam, batch 128, 15 epochs, validation 0.1.

    python -m experiments.mnist_cnn

Expected: test accuracy 0.9911 and loss 0.0262 (lecture), in about 7 minutes on 2 slow
cores (66 GFLOP/s in a large matrix product).
Slides `import numpy as np ... keras.datasets.mnist.load_data()` to `Test accuracy`.
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
from experiments.sources import examples, held_out, obtain
from experiments.sweeps import sweep
from experiments.training import Task, adam


@dataclass(frozen=True)
class Config(Training):
    """The lecture's convolutional network on MNIST."""

    num_epochs: int = 15
    batch_size: int = 128
    learning_rate: float = 1e-3
    validation_split: float = 0.1
    """Share of the training images held out, the last ones."""
    features: tuple[int, ...] = (32, 64)
    """Kernels of each convolution."""
    dropout_rate: float = 0.5
    gradients: Gradients = "autodiff"
    """By automatic differentiation, or the lecture's derivation in `dl_jax.backprop`."""


def task_of(config: Config) -> Task:
    """Return the network, its objective, optimizer and hand derivation."""
    model = create("mnist_cnn", features=config.features, dropout_rate=config.dropout_rate)
    optimizer = adam(config.learning_rate)
    return Task(model, MULTICLASS, optimizer, backprop.cnn(config.dropout_rate), adam)


def run(config: Config) -> Record:
    """Train, test and write the run folder."""
    with recording(
        "mnist_cnn",
        config,
        "MNIST, convolutional network",
        "Two 3x3 convolutions with max pooling, dropout, and a softmax over the ten digits.",
    ) as record:
        with record.timed("data"):
            source = obtain("mnist", config.data)
            everything, test = examples(source.dataset.train), examples(source.dataset.test)
        record.add_data(source)
        train, validation = held_out(everything, config.validation_split)
        task = task_of(config)
        model = task.model
        record.add_model("mnist_cnn", model, train.inputs.shape[1:], np.float32, outputs=10)
        if config.sweep:
            sweep(record, config, task, train, num_epochs=config.num_epochs, validation=validation)
            return record

        done = training.train(
            record,
            task,
            train,
            num_epochs=config.num_epochs,
            batch_size=config.batch_size,
            seed=config.seed,
            gradients=config.gradients,
            validation=validation,
            seeds=config.seeds,
        )
        training.keep_weights(record, "mnist_cnn", task, done.state, test, source.dataset.info)
        logits, *_ = each = training.logits_of_each(record, model, done, test.inputs)
        losses, accuracies = training.figures_of_each(MULTICLASS, each, test)
        lecture = "lecture, slide 'Test loss, Test accuracy'"
        record.add_figure(
            "test accuracy", accuracies, expected=0.9911, bound=0.9890, source=lecture
        )
        record.add_figure("test loss", losses, expected=0.0262, direction="<=", source=lecture)

        names = source.dataset.info.class_names
        pictures.draw_samples(record, MULTICLASS, logits, test, names)
        pictures.draw_confusion(record, MULTICLASS.predict(logits), test.targets, names)
    return record


if __name__ == "__main__":
    main("mnist_cnn", Config, run)
