"""Pure model definitions in Flax Linen: used through `init` and `apply` alone."""

from dl_jax.models.bag_of_words import BagOfWords
from dl_jax.models.catalog import CATALOG, create, entry
from dl_jax.models.cnn import CNN
from dl_jax.models.mlp import MLP
from dl_jax.models.perceptron import Perceptron
from dl_jax.models.summary import summarize

__all__ = ["CATALOG", "CNN", "MLP", "BagOfWords", "Perceptron", "create", "entry", "summarize"]
