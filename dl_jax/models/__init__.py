"""Pure model definitions in Flax Linen: used through `init` and `apply` alone."""

from dl_jax.models.alexnet import AlexNet
from dl_jax.models.bag_of_words import BagOfWords
from dl_jax.models.catalog import CATALOG, create, entry, fields_of
from dl_jax.models.cnn import CNN
from dl_jax.models.googlenet import GoogLeNet
from dl_jax.models.lenet5 import LeNet5
from dl_jax.models.mlp import MLP
from dl_jax.models.perceptron import Perceptron
from dl_jax.models.resnet import ResNet
from dl_jax.models.summary import summarize
from dl_jax.models.vgg import VGG
from dl_jax.models.weights import (
    IMAGENET,
    Preprocessing,
    Weights,
    load_weights,
    read_notes,
    save_weights,
)
from dl_jax.models.zfnet import ZFNet

__all__ = [
    "CATALOG",
    "CNN",
    "IMAGENET",
    "MLP",
    "VGG",
    "AlexNet",
    "BagOfWords",
    "GoogLeNet",
    "LeNet5",
    "Perceptron",
    "Preprocessing",
    "ResNet",
    "Weights",
    "ZFNet",
    "create",
    "entry",
    "fields_of",
    "load_weights",
    "read_notes",
    "save_weights",
    "summarize",
]
