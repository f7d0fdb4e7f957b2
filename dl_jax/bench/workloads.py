"""What is trained: the lecture's three networks as it trains them, and all other models."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

from dl_jax.bench.cost import Optimizer
from dl_jax.losses import BINARY, MULTICLASS, Objective, with_auxiliary_heads
from dl_jax.models import CATALOG, create, entry
from dl_jax.models.catalog import inputs_of

# Operations for each parameter: both averages (3 and 4), their corrections (2), the root, epsilon
# and quotient (3), the learning rate and the parameter itself (2); RMSprop has the second average
# alone and no correction.
ADAM = Optimizer(optax.adam(1e-3, eps=1e-7), flops=14, slots=2)
RMSPROP = Optimizer(optax.rmsprop(1e-3, decay=0.9, eps=1e-7), flops=9, slots=1)

_MOST_BYTES = 2**28  # of images to train on, if their size is chosen
_BATCHES = 4  # of an epoch of a model that the lecture does not train: some take seconds each


class Workload(NamedTuple):
    """A network and how it is trained.

    Attributes:
        name: of the model in the catalog.
        model: the module.
        inputs: one example as the model takes it.
        num_logits: outputs of the model.
        objective: what is minimised.
        optimizer: what updates the parameters.
        batch_size: examples a step.
        num_train: examples of an epoch.
        num_validation: held out.
        real: the real data set's name; None where there is none.
    """

    name: str
    model: nn.Module
    inputs: jax.ShapeDtypeStruct
    num_logits: int
    objective: Objective
    optimizer: Optimizer
    batch_size: int
    num_train: int
    num_validation: int
    real: str | None


class Lecture(NamedTuple):
    """The lecture's settings of a network, and the sizes of its data.

    Attributes:
        real: the data set's name.
        inputs: shape of one example; for reviews the distinct words of the longest, 588, in whole
            rows of 32 ids as `ops.bag_of_words` wants them.
        objective: what is minimised.
        optimizer: what updates the parameters.
        batch_size: examples a step.
        num_train: examples that it trains on.
        num_validation: examples that it holds out.
    """

    real: str
    inputs: tuple[int, ...]
    objective: Objective
    optimizer: Optimizer
    batch_size: int
    num_train: int
    num_validation: int


LECTURE: dict[str, Lecture] = {
    "fashion_mlp": Lecture("fashion_mnist", (28, 28, 1), MULTICLASS, ADAM, 32, 60_000, 10_000),
    "mnist_cnn": Lecture("mnist", (28, 28, 1), MULTICLASS, ADAM, 128, 54_000, 6_000),
    "imdb_bow": Lecture("imdb_reviews", (608,), BINARY, RMSPROP, 512, 15_000, 10_000),
}


def make_workload(
    name: str, *, image_size: int | None = None, batch_size: int | None = None
) -> Workload:
    """Return the workload of that name.

    A model that the lecture does not train takes Adam, the loss that its outputs ask for (one
    logit: a yes or no, else a class, in auxiliary heads too), batches of 32, and 4 of them an epoch
    and another to validate.

    Args:
        name: a model of the catalog.
        image_size: height and width of the images, for a model that takes images.
        batch_size: examples a step; the workload's own unless given.

    Raises:
        ValueError: for a name that there is not; an image size for a model without images, or one
            that it does not take; a batch that is empty, or larger than the data.
    """
    if name not in CATALOG:
        raise ValueError(f"unknown workload {name!r}; the workloads are {', '.join(CATALOG)}")
    model, inputs, lecture = create(name), entry(name).inputs, LECTURE.get(name)
    shape = lecture.inputs if lecture else inputs.shape
    if image_size is not None:
        shape = inputs_of(name, image_size).shape
    inputs = jax.ShapeDtypeStruct(shape, inputs.dtype)
    size = (lecture.batch_size if lecture else 32) if batch_size is None else batch_size
    num_train = lecture.num_train if lecture else _BATCHES * size
    if image_size is not None:  # larger images than the lecture's, of which there are fewer then
        num_train = min(num_train, max(size, _MOST_BYTES // math.prod(shape)))
    if not 1 <= size <= num_train:
        most = f"to the {num_train:,} training examples of {name}" if lecture else "on"
        raise ValueError(f"--batch-size: expected from 1 {most}, got {size}")
    num_logits = _num_logits(name, model, inputs)
    of_outputs = BINARY if num_logits == 1 else with_auxiliary_heads(MULTICLASS)
    return Workload(
        name=name,
        model=model,
        inputs=inputs,
        num_logits=num_logits,
        objective=lecture.objective if lecture else of_outputs,
        optimizer=lecture.optimizer if lecture else ADAM,
        batch_size=size,
        num_train=num_train,
        num_validation=min(lecture.num_validation, num_train) if lecture else num_train // _BATCHES,
        real=lecture.real if lecture else None,
    )


def takes_images(name: str) -> bool:
    """Say whether the model of that name takes images, `[height, width, channels]`."""
    return len(entry(name).inputs.shape) == 3


def _num_logits(name: str, model: nn.Module, inputs: jax.ShapeDtypeStruct) -> int:
    """The model's outputs; it says itself what inputs it does not take."""
    example = jax.ShapeDtypeStruct((1, *inputs.shape), inputs.dtype)
    key = jax.eval_shape(lambda: jax.random.key(0))
    logits, _ = jax.eval_shape(
        lambda key, x: model.init_with_output(key, x, train=False), key, example
    )
    if logits.ndim != 2 or not jnp.issubdtype(logits.dtype, jnp.floating):
        raise ValueError(f"{name}: expected logits [n, k], got {logits.dtype} {logits.shape}")
    return logits.shape[1]
