"""The models by name."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from dl_jax.models.bag_of_words import BagOfWords
from dl_jax.models.cnn import CNN
from dl_jax.models.mlp import MLP
from dl_jax.models.perceptron import Perceptron


class Entry(NamedTuple):
    """A model and the input that the lecture gives it.

    Attributes:
        make: from keyword arguments, the module's fields, to the module.
        inputs: shape and dtype of one example, without the batch axis.
    """

    make: Callable[..., nn.Module]
    inputs: jax.ShapeDtypeStruct


CATALOG: dict[str, Entry] = {
    "perceptron": Entry(Perceptron, jax.ShapeDtypeStruct((2,), jnp.float32)),
    "fashion_mlp": Entry(
        partial(MLP, features=(64, 64, 10)), jax.ShapeDtypeStruct((28, 28, 1), jnp.float32)
    ),
    "mnist_cnn": Entry(CNN, jax.ShapeDtypeStruct((28, 28, 1), jnp.float32)),
    "imdb_bow": Entry(BagOfWords, jax.ShapeDtypeStruct((256,), jnp.int32)),
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


def entry(name: str) -> Entry:
    """Return the catalog's entry of that name.

    Raises:
        ValueError: if there is none; names those that exist.
    """
    if name not in CATALOG:
        raise ValueError(f"unknown model {name!r}; the models are {', '.join(sorted(CATALOG))}")
    return CATALOG[name]
