"""The lecture's table of a model: what each layer puts out, how much it learns and computes."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.typing import DTypeLike

from dl_jax.models.layers import BagOfWordsDense, Dropout, Flatten, MaxPool


class Row(NamedTuple):
    """A layer.

    Attributes:
        layer: its name in the parameter tree, and its type.
        output_shape: of one example.
        num_params: weights and biases, `W_c + B_c`.
        flops: floating-point operations of the forward pass of one example; a multiplication and
            an addition count one each, comparisons and activations nothing.
        path: its place in the parameter tree, `/` between names.
    """

    layer: str
    output_shape: tuple[int, ...]
    num_params: int
    flops: int
    path: str


def _conv_flops(layer: nn.Module, inputs: Any, output: Any) -> int:
    assert isinstance(layer, nn.Conv)
    size = layer.kernel_size if not isinstance(layer.kernel_size, int) else (layer.kernel_size,)
    products = math.prod(size) * inputs.shape[-1] // layer.feature_group_count
    return (2 * products - (not layer.use_bias)) * math.prod(output.shape[1:])


def _dense_flops(layer: nn.Module, inputs: Any, output: Any) -> int:
    assert isinstance(layer, nn.Dense)
    return (2 * inputs.shape[-1] - (not layer.use_bias)) * math.prod(output.shape[1:])


def _bag_of_words_flops(layer: nn.Module, inputs: Any, output: Any) -> int:
    return inputs.shape[-1] * output.shape[-1]


FLOPS: dict[type[nn.Module], Callable[[nn.Module, Any, Any], int]] = {
    nn.Conv: _conv_flops,
    nn.Dense: _dense_flops,
    BagOfWordsDense: _bag_of_words_flops,
    MaxPool: lambda layer, inputs, output: 0,
    Flatten: lambda layer, inputs, output: 0,
    Dropout: lambda layer, inputs, output: 0,
    nn.Dropout: lambda layer, inputs, output: 0,
}
"""The layers that are rows of the table, and what each computes."""


def summarize(
    model: nn.Module, input_shape: tuple[int, ...], dtype: DTypeLike = jnp.float32
) -> list[Row]:
    """Return a row for each layer of the model, in the order of its forward pass.

    Nothing is computed and no parameter allocated. The parameters follow the lecture's formulas,
    `W_c = K^2 C N` and `B_c = N`; slides "Output Size in Convolutional Layer" and "# of
    Parameters in Convolutional Layer".

    Args:
        model: a Flax module.
        input_shape: of one example, without the batch axis.
        dtype: of the inputs.

    Raises:
        ValueError: if the model does not take such inputs, or has parameters in layers that
            `FLOPS` does not know.
    """
    rows: list[Row] = []

    def record(call, args, kwargs, context):
        output = call(*args, **kwargs)
        layer = context.module
        if context.method_name == "__call__" and type(layer) in FLOPS:
            params = jax.tree.leaves(layer.variables.get("params", {}))
            path = "/".join(map(str, layer.path))
            rows.append(
                Row(
                    layer=f"{path} ({type(layer).__name__})",
                    output_shape=tuple(output.shape[1:]),
                    num_params=sum(p.size for p in params),
                    flops=FLOPS[type(layer)](layer, args[0], output),
                    path=path,
                )
            )
        return output

    with nn.intercept_methods(record):
        example = jax.ShapeDtypeStruct((1, *input_shape), dtype)
        variables = jax.eval_shape(model.init, jax.random.key(0), example)
    total = sum(p.size for p in jax.tree.leaves(variables["params"]))
    counted = sum(row.num_params for row in rows)
    if counted != total:
        raise ValueError(
            f"summarize: {type(model).__name__} has {total:,} parameters, {counted:,} of them in "
            f"layers of the known types {', '.join(kind.__name__ for kind in FLOPS)}; add the "
            "others to dl_jax.models.summary.FLOPS"
        )
    return rows
