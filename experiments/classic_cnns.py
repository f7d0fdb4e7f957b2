"""LeNet-5 and ResNet-18 on images of 28x28.

    python -m experiments.classic_cnns
    python -m experiments.classic_cnns --dataset fashion_mnist
    python -m experiments.classic_cnns --network resnet18 --dataset fashion_mnist

LeNet-5 puts a frame of two pixels around the images, as its paper does. ResNet-18 takes a first
convolution of 3x3 at stride 2 without pooling, so that its four stages see 14, 7, 4 and 2 pixels a
side. Both have a learning rate that rises and falls again.
Expected: LeNet-5 reaches a test accuracy of at least 0.988 on MNIST, in about a minute on 2 cores;
ResNet-18 at least 0.92 on Fashion-MNIST, in most of an hour, for which it has to be asked.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import jax
import numpy as np
import optax
from flax import linen as nn

from dl_jax.losses import MULTICLASS
from dl_jax.models import create
from experiments import pictures, training
from experiments.options import Training, main
from experiments.record import Record
from experiments.recording import recording
from experiments.sources import examples, obtain
from experiments.sweeps import sweep
from experiments.training import Task


class Recipe(NamedTuple):
    """How a network is made and trained.

    Attributes:
        title: of the page.
        model: the module.
        learning_rate: at its peak, a quarter of the way.
        num_epochs: unless the configuration says otherwise.
        bounds: least test accuracy on each data set; none where nobody has named one.
    """

    title: str
    model: nn.Module
    learning_rate: float
    num_epochs: int
    bounds: dict[str, float]


RECIPES = {
    "lenet5": Recipe("LeNet-5", create("lenet5", pad=2), 3e-3, 10, {"mnist": 0.988}),
    "resnet18": Recipe(
        "ResNet-18",
        create("resnet18", kernel_size=3, strides=2, pool=False, num_classes=10),
        0.1,
        3,
        {"fashion_mnist": 0.92},
    ),
}


@dataclass(frozen=True)
class Config(Training):
    """LeNet-5 and ResNet-18 on images of 28x28."""

    network: Literal["lenet5", "resnet18"] = "lenet5"
    dataset: Literal["mnist", "fashion_mnist"] = "mnist"
    num_epochs: int | None = None
    """10 of LeNet-5, 3 of ResNet-18 unless given."""
    batch_size: int = 128
    learning_rate: float | None = None
    """At its peak: 3e-3 of LeNet-5, 0.1 of ResNet-18 unless given."""


def task_of(config: Config, num_steps: int) -> Task:
    """Return the network, its objective and its optimizer for so many steps."""
    recipe = RECIPES[config.network]

    def optimizer_of(learning_rate: float | jax.Array) -> optax.GradientTransformation:
        rate = optax.cosine_onecycle_schedule(num_steps, learning_rate, pct_start=0.25)
        if config.network == "lenet5":
            return optax.adamw(rate, weight_decay=0.1)
        descent = optax.sgd(rate, momentum=0.9, nesterov=True)
        return optax.chain(optax.add_decayed_weights(5e-4), descent)

    peak = recipe.learning_rate if config.learning_rate is None else config.learning_rate
    return Task(recipe.model, MULTICLASS, optimizer_of(peak), optimizer_of=optimizer_of)


def run(config: Config) -> Record:
    """Train, test and write the run folder."""
    recipe = RECIPES[config.network]
    names = {"mnist": "MNIST", "fashion_mnist": "Fashion-MNIST"}
    with recording(
        "classic_cnns",
        config,
        f"{names[config.dataset]}, {recipe.title}",
        "The validation curves are the test images'.",
    ) as record:
        with record.timed("data"):
            source = obtain(config.dataset, config.data)
            train, test = examples(source.dataset.train), examples(source.dataset.test)
        record.add_data(source)
        num_epochs = config.num_epochs or recipe.num_epochs
        steps = num_epochs * -(-len(train.targets) // config.batch_size)
        task = task_of(config, steps)
        record.add_model(config.network, task.model, (28, 28, 1), np.float32, outputs=10)
        if config.sweep:
            sweep(record, config, task, train, num_epochs=num_epochs, validation=test)
            return record
        done = training.train(
            record, task, train,
            num_epochs=num_epochs, batch_size=config.batch_size, seed=config.seed, validation=test,
            seeds=config.seeds,
        )  # fmt: skip
        training.keep_weights(record, config.network, task, done.state, test, source.dataset.info)
        logits, *_ = each = training.logits_of_each(record, task.model, done, test.inputs)
        losses, accuracies = training.figures_of_each(MULTICLASS, each, test)
        record.add_figure("test accuracy", accuracies, bound=recipe.bounds.get(config.dataset))
        record.add_figure("test loss", losses, direction="<=")
        classes = source.dataset.info.class_names
        pictures.draw_samples(record, MULTICLASS, logits, test, classes)
        pictures.draw_inside(record, task.model, done.state, np.asarray(test.inputs[0]))
        pictures.draw_confusion(record, MULTICLASS.predict(logits), test.targets, classes)
    return record


if __name__ == "__main__":
    main("classic_cnns", Config, run)
