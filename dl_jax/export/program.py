"""A network's answer as a serialisable program: StableHLO, by `jax.export`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

import jax
import jax.numpy as jnp
from flax import traverse_util
from jax import export
from jaxtyping import Array, Float, Num

from dl_jax.predict.network import Network, probabilities_of
from dl_jax.train import as_model_inputs

PLATFORMS = ("cpu", "cuda", "tpu")
"""For which a program is exported unless others are named."""

KNOWN_PLATFORMS = (*PLATFORMS, "rocm")

Kind = Literal["images", "texts", "numbers"]


def kind_of(network: Network) -> Kind:
    """Return what the network takes."""
    if network.takes_text:
        return "texts"
    return "images" if len(network.inputs.shape) == 3 else "numbers"


def export_program(network: Network, platforms: Sequence[str] = PLATFORMS) -> export.Exported:
    """Return the network, without training, as a program for any number of examples.

        {"logits": [n, k], "probabilities": [n, classes]} = program(weights, inputs)

    The weights are an argument: arrays by the names of their file, `params/Dense_0/kernel`. So
    they lie in one file that other programs read as well, and need no time to be compiled, which
    constants do. Inputs are images as uint8 `[n, height, width, channels]` in 0..255, texts as
    distinct ids, int32 `[n, length]` of any length and padded with 0, or numbers as the network
    has them. What is done to each pixel is part of the program; bringing an image to its size is
    not.

    Args:
        network: with its weights.
        platforms: on which the program is to run.

    Raises:
        ValueError: for a platform that `jax.export` does not know, or none.
    """
    unknown = [name for name in platforms if name not in KNOWN_PLATFORMS]
    if unknown or not platforms:
        raise ValueError(
            f"platforms: expected one or more of {', '.join(KNOWN_PLATFORMS)}, "
            f"got {', '.join(unknown) or 'none'}"
        )
    kind = kind_of(network)

    def program(
        weights: dict[str, Array], inputs: Num[Array, "n ..."]
    ) -> dict[str, Float[Array, "n k"]]:
        x = as_model_inputs(inputs)
        if kind == "images" and network.preprocessing:
            mean, std = (jnp.array(of, x.dtype) for of in network.preprocessing[2:])
            x = (x - mean[None, None, None, :]) / std[None, None, None, :]
        variables = traverse_util.unflatten_dict(weights, sep="/")
        logits = network.model.apply(variables, x, train=False)
        assert isinstance(logits, jax.Array)
        return {"logits": logits, "probabilities": probabilities_of(logits)}

    weights = traverse_util.flatten_dict(network.variables, sep="/")
    like = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), weights)
    sides = ["length"] if kind == "texts" else map(str, network.inputs.shape)
    shape = export.symbolic_shape(", ".join(["batch", *sides]))
    dtype = jnp.uint8 if kind == "images" else network.inputs.dtype
    with _without_folders():
        return export.export(jax.jit(program), platforms=platforms)(
            like, jax.ShapeDtypeStruct(shape, dtype)
        )


@contextmanager
def _without_folders() -> Iterator[None]:
    """A program names the places that it was traced at: let it keep the files' names alone."""
    option = "jax_hlo_source_file_canonicalization_regex"
    before = getattr(jax.config, option)
    jax.config.update(option, r".*[/\\]")
    try:
        yield
    finally:
        jax.config.update(option, before)
