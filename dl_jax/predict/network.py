"""A network with its weights, and its answer."""

from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jaxtyping import Array, Float

from dl_jax.losses import BINARY, MULTICLASS
from dl_jax.models import Preprocessing, create, load_weights, read_notes
from dl_jax.ops.compile_once import compile_once

WEIGHTS = "weights.safetensors"
"""The file in a run's folder."""


class Network(NamedTuple):
    """All that an answer needs.

    Attributes:
        name: of the model in the catalog.
        model: the module.
        variables: its parameters and other collections.
        inputs: shape and dtype of one example; a text may have another length.
        preprocessing: of images.
        class_names: of its answers; empty where they are not known.
        vocabulary: the word of each id, for texts.
    """

    name: str
    model: nn.Module
    variables: dict[str, Any]
    inputs: jax.ShapeDtypeStruct
    preprocessing: Preprocessing | None
    class_names: tuple[str, ...]
    vocabulary: tuple[str, ...]

    @property
    def takes_text(self) -> bool:
        """Whether an example is a text, not an image."""
        return jnp.issubdtype(self.inputs.dtype, jnp.integer)


class Answer(NamedTuple):
    """A class and what the network gives for it."""

    name: str
    probability: float


def load_network(path: Path, name: str | None = None) -> Network:
    """Return the network of a run's folder, or of a file of weights.

    Args:
        path: a run's folder; a file of `save_weights`, or of published weights.
        name: of the model in the catalog; of a run, and of a file that says it itself, not needed.

    Raises:
        ValueError: if the model is not known, or the weights are not its own.
        OSError: if there are no weights.
    """
    if path.is_dir():
        if not (path / WEIGHTS).is_file():
            raise OSError(
                f"{path}: expected a run's folder with {WEIGHTS}, which a finished run of one of "
                "the networks leaves; there is none in it"
            )
        path = path / WEIGHTS
    if not path.is_file():
        raise OSError(f"{path}: no such file or run's folder")
    notes = {} if path.suffix != ".safetensors" else read_notes(path)
    name = name or notes.get("model")
    if name is None:
        raise ValueError(f"{path} does not say of what model it is: name it with --model")
    fields = notes.get("fields", {}) if name == notes.get("model") else {}
    model = create(name, **{k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()})
    found = load_weights(model, path)
    return Network(
        name=name,
        model=model,
        variables=found.variables,
        inputs=found.inputs,
        preprocessing=found.preprocessing,
        class_names=tuple(notes.get("class_names", ())),
        vocabulary=tuple(notes.get("vocabulary", ())),
    )


def probabilities_of(logits: Float[Array, "n k"]) -> Float[Array, "n classes"]:
    """Return what a network gives for each class; a single logit is that of the second of two."""
    if logits.shape[-1] > 1:
        return MULTICLASS.activation(logits)
    yes = BINARY.activation(logits)
    return jnp.concatenate([1 - yes, yes], axis=-1)


def answer(network: Network, example: np.ndarray, top: int = 5) -> list[Answer]:
    """Return the likeliest classes, the first ones first.

    Args:
        network: with its weights.
        example: one, without the axis of the batch.
        top: how many classes, at most.

    Raises:
        ValueError: if what the network gives is not finite.
    """
    compiled = compile_once(_logits, static_argnames="model")
    logits = compiled(network.model, network.variables, example[None])
    probabilities = np.asarray(probabilities_of(logits)[0])
    if not np.isfinite(probabilities).all():
        raise ValueError(f"what {network.name} gives is not finite; look at its weights")
    order = np.argsort(-probabilities, kind="stable")[:top]
    named = network.class_names or [f"class {i}" for i in range(len(probabilities))]
    return [Answer(named[i], float(probabilities[i])) for i in order]


def _logits(model: nn.Module, variables: dict[str, Any], inputs: Any) -> Any:
    return model.apply(variables, inputs, train=False)
