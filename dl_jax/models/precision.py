"""The precision of a network: of its parameters and inputs, or of what its layers compute."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import PyTree

Precision = Literal["float32", "bfloat16", "float64"]
PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16", "float64")


@contextmanager
def in_precision(precision: Precision) -> Iterator[None]:
    """Let JAX have 64-bit numbers where they are asked for."""
    with jax.enable_x64(precision == "float64"):
        yield


class InPrecision(nn.Module):
    """A model whose parameters and inputs are cast, so that all it computes is of that precision.

    Nothing is kept in float32 beside it: the optimizer's state follows the parameters, and there
    is no loss scaling. Batch statistics alone stay in float32 where the precision is a narrower
    one. Parameters are those of the model, under the same names.

    Attributes:
        model: a Flax module that computes in the precision of its parameters and inputs.
        precision: of both.
    """

    model: nn.Module
    precision: Precision

    @property
    def data_fields(self) -> tuple[str, ...]:
        """The model's."""
        return getattr(self.model, "data_fields", ())

    def setup(self) -> None:
        """Give the parameters the names that they have in the model."""
        nn.share_scope(self, self.model)

    def __call__(self, inputs: jax.Array, *, train: bool = False) -> Any:
        """Cast the inputs, unless they are ids, and apply the model."""
        if jnp.issubdtype(inputs.dtype, jnp.floating):
            inputs = inputs.astype(self.precision)
        return self.model(inputs, train=train)

    def init(self, *args: Any, **kwargs: Any) -> Any:
        """Initialise in float32 and cast."""
        variables = super().init(*args, **kwargs)
        wide = jnp.promote_types(self.precision, jnp.float32)
        return {
            name: _cast(collection, self.precision if name == "params" else wide)
            for name, collection in variables.items()
        }


class InMixedPrecision(InPrecision):
    """A model that computes in a narrow precision and keeps its parameters in float32.

    What Flax's layers do with `dtype=bfloat16`, for a whole model: parameters are cast where they
    are used, so that their gradients, the optimizer's state and the updates are of float32; logits
    are cast back, so that losses and metrics are too.
    """

    def __call__(self, inputs: jax.Array, *, train: bool = False) -> Any:
        """Cast the inputs, unless they are ids, apply the model, and cast the logits back."""
        return super().__call__(inputs, train=train).astype(jnp.float32)

    def init(self, *args: Any, **kwargs: Any) -> Any:
        """Initialise in float32."""
        return nn.Module.init(self, *args, **kwargs)

    def apply(self, variables: Any, *args: Any, **kwargs: Any) -> Any:
        """Apply with the parameters cast; their gradients come back in float32."""
        variables = {**variables, "params": _cast(variables["params"], self.precision)}
        return super().apply(variables, *args, **kwargs)


def with_precision(model: nn.Module, precision: Precision) -> nn.Module:
    """Return the model as it is for float32, and one that computes in the precision otherwise."""
    return model if precision == "float32" else InPrecision(model, precision)


def with_mixed_precision(model: nn.Module, precision: Precision) -> nn.Module:
    """Return the model for training in a precision: bfloat16 for the layers alone.

    Args:
        model: a Flax module, as it is for float32.
        precision: of what the layers compute. Of parameters as well if it is float64, which needs
            `in_precision`; they stay in float32 otherwise, and so do all sums over examples.
    """
    return (
        InMixedPrecision(model, precision)
        if precision == "bfloat16"
        else with_precision(model, precision)
    )


def _cast(tree: PyTree, dtype: Any) -> PyTree:
    def leaf(a: jax.Array) -> jax.Array:
        return a.astype(dtype) if jnp.issubdtype(a.dtype, jnp.floating) else a

    return jax.tree.map(leaf, tree)
