"""The models by name."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from dl_jax.models.alexnet import AlexNet
from dl_jax.models.bag_of_words import BagOfWords
from dl_jax.models.cnn import CNN
from dl_jax.models.googlenet import GoogLeNet
from dl_jax.models.lenet5 import LeNet5
from dl_jax.models.mlp import MLP
from dl_jax.models.perceptron import Perceptron
from dl_jax.models.resnet import ResNet
from dl_jax.models.vgg import VGG
from dl_jax.models.zfnet import ZFNet


class Entry(NamedTuple):
    """A model and the input that the lecture, or its paper, gives it.

    Attributes:
        make: from keyword arguments, the module's fields, to the module.
        inputs: shape and dtype of one example, without the batch axis.
    """

    make: Callable[..., nn.Module]
    inputs: jax.ShapeDtypeStruct


def _image(size: int, channels: int = 3) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct((size, size, channels), jnp.float32)


CATALOG: dict[str, Entry] = {
    "perceptron": Entry(Perceptron, jax.ShapeDtypeStruct((2,), jnp.float32)),
    "fashion_mlp": Entry(
        partial(MLP, features=(64, 64, 10)), jax.ShapeDtypeStruct((28, 28, 1), jnp.float32)
    ),
    "mnist_cnn": Entry(CNN, jax.ShapeDtypeStruct((28, 28, 1), jnp.float32)),
    "imdb_bow": Entry(BagOfWords, jax.ShapeDtypeStruct((256,), jnp.int32)),
    "lenet5": Entry(LeNet5, _image(32, 1)),
    "alexnet": Entry(AlexNet, _image(227)),
    "alexnet_single": Entry(partial(AlexNet, groups=1), _image(227)),
    "alexnet_2014": Entry(  # Krizhevsky, One weird trick, arXiv:1404.5997; torchvision's
        partial(AlexNet, features=(64, 192, 384, 256, 256), groups=1, padding=2, normalize=False),
        _image(224),
    ),
    "zfnet": Entry(ZFNet, _image(224)),
    "vgg11": Entry(partial(VGG, depths=(1, 1, 2, 2, 2)), _image(224)),
    "vgg13": Entry(partial(VGG, depths=(2, 2, 2, 2, 2)), _image(224)),
    "vgg16": Entry(partial(VGG, depths=(2, 2, 3, 3, 3)), _image(224)),
    "vgg19": Entry(partial(VGG, depths=(2, 2, 4, 4, 4)), _image(224)),
    "googlenet": Entry(GoogLeNet, _image(224)),
    "googlenet_bn": Entry(partial(GoogLeNet, batch_norm=True), _image(224)),
    "resnet18": Entry(partial(ResNet, depths=(2, 2, 2, 2)), _image(224)),
    "resnet34": Entry(partial(ResNet, depths=(3, 4, 6, 3)), _image(224)),
    "resnet50": Entry(partial(ResNet, depths=(3, 4, 6, 3), bottleneck=True), _image(224)),
    "resnet101": Entry(partial(ResNet, depths=(3, 4, 23, 3), bottleneck=True), _image(224)),
    "resnet152": Entry(partial(ResNet, depths=(3, 8, 36, 3), bottleneck=True), _image(224)),
}


def create(name: str, **overrides: Any) -> nn.Module:
    """Return the model of that name, a Flax module used through `init` and `apply`.

    Args:
        name: a key of `CATALOG`.
        overrides: fields of the module to set differently, as `features=(128, 10)`.

    Raises:
        ValueError: if there is no such model, or it has no such field; names those that exist.
    """
    make = entry(name).make
    try:
        return make(**overrides)
    except TypeError as error:
        module = make()
        known = [f for f in module.__dataclass_fields__ if f not in ("parent", "name")]
        raise ValueError(
            f"create: {name!r} has the fields {', '.join(known) or '(none)'}, "
            f"got {', '.join(overrides)}"
        ) from error


def fields_of(model: nn.Module) -> dict[str, Any]:
    """Return the fields of a model by which `create` makes it again, but for functions."""
    fields = (name for name in model.__dataclass_fields__ if name not in ("parent", "name"))
    return {name: value for name in fields if not callable(value := getattr(model, name))}


def entry(name: str) -> Entry:
    """Return the catalog's entry of that name.

    Raises:
        ValueError: if there is none; names those that exist.
    """
    if name not in CATALOG:
        raise ValueError(f"unknown model {name!r}; the models are {', '.join(sorted(CATALOG))}")
    return CATALOG[name]


def inputs_of(name: str, image_size: int | None = None) -> jax.ShapeDtypeStruct:
    """Return shape and dtype of one example of the model, images of another size if one is given.

    Args:
        name: a key of `CATALOG`.
        image_size: height and width; whether they are large enough, the model says itself.

    Raises:
        ValueError: if there is no such model, it takes no images, or the size is not positive.
    """
    inputs = entry(name).inputs
    if image_size is None:
        return inputs
    if len(inputs.shape) != 3:
        having = ", ".join(other for other, one in CATALOG.items() if len(one.inputs.shape) == 3)
        raise ValueError(f"--image-size: {name} takes no images; those that do: {having}")
    if image_size < 1:
        raise ValueError(f"--image-size: expected at least 1, got {image_size}")
    return jax.ShapeDtypeStruct((image_size, image_size, inputs.shape[-1]), inputs.dtype)
