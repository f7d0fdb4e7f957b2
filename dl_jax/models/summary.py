"""The lecture's table of a model: what each layer puts out, how much it learns and computes."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.typing import DTypeLike

from dl_jax.models import receptive_fields
from dl_jax.models.layer_formulas import FORMULAS, Shape, Window, output_sizes


class Row(NamedTuple):
    """A layer. Shapes are of one example; kernel, stride and padding are None without windows.

    Attributes:
        layer: its name in the parameter tree, and its type.
        output_shape: by the formula, and so Flax makes it.
        num_params: weights and biases, `W_c + B_c`.
        flops: floating-point operations of the forward pass of one example; a multiplication and
            an addition count one each, comparisons and activations nothing.
        path: its place in the parameter tree, `/` between names.
        kind: its type.
        input_shape: what it takes.
        kernel: the size of its windows along each axis.
        stride: the distance between them.
        padding: what is added before and behind along each axis.
        receptive_field: the side of what one of its values sees of the image, in pixels, a part of
            which may be padding; the longer side, if they differ. None if there is no image, or
            something unknown on the way.
        only_training: whether the model's output does without it, as without an auxiliary head.
        size_formula: the formula of the output's height and width, with numbers.
        params_formula: that of the parameters.
        flops_formula: that of the operations.
    """

    layer: str
    output_shape: Shape
    num_params: int
    flops: int
    path: str
    kind: str
    input_shape: Shape
    kernel: tuple[int, ...] | None
    stride: tuple[int, ...] | None
    padding: tuple[tuple[int, int], ...] | None
    receptive_field: int | None
    only_training: bool
    size_formula: str
    params_formula: str
    flops_formula: str


def forward_flops(rows: list[Row]) -> int:
    """Return the operations of a forward pass, in which no auxiliary head takes part."""
    return sum(row.flops for row in rows if not row.only_training)


def summarize(
    model: nn.Module, input_shape: tuple[int, ...], dtype: DTypeLike = jnp.float32
) -> list[Row]:
    """Return a row for each layer of the model, in the order of its initialisation.

    That includes layers that run in training alone: they have parameters too. Nothing is computed
    and no parameter allocated. Shapes and parameters follow the lecture's formulas,
    `O = (I - K + 2P) / S + 1`, `W_c = K^2 C N` and `B_c = N`, and are compared with what Flax
    makes; slides "Output Size in Convolutional Layer" and "# of Parameters in Convolutional Layer".

    Args:
        model: a Flax module.
        input_shape: of one example, without the batch axis.
        dtype: of the inputs.

    Raises:
        ValueError: if the model does not take such inputs, has parameters in layers that
            `FORMULAS` does not know, or makes a layer that is not what its formulas say.
    """
    rows: list[Row] = []
    changes: list[receptive_fields.Change] = []
    outputs: list[Any] = []

    def record(call, args, kwargs, context):
        layer, number = context.module, len(outputs)
        if context.method_name != "__call__" or type(layer) not in FORMULAS:
            return call(*args, **kwargs)
        if hasattr(layer, "kernel_init"):  # a shape has no use for random values: half the time
            object.__setattr__(layer, "kernel_init", nn.initializers.zeros)
        outputs.append(None)
        output = call(receptive_fields.mark("input", number, args[0]), *args[1:], **kwargs)
        outputs[number] = receptive_fields.mark("output", number, output)
        num_params = sum(p.size for p in jax.tree.leaves(layer.variables.get("params", {})))
        row, change = _row(layer, args[0].shape[1:], output.shape[1:], num_params)
        rows.append(row)
        changes.append(change)
        return outputs[number]

    def initialize(key: jax.Array, example: jax.Array):
        output, variables = model.init_with_output(key, example)
        return output, variables, outputs  # so that no layer is left out of the program

    key = jax.eval_shape(lambda: jax.random.key(0))
    example = jax.ShapeDtypeStruct((1, *input_shape), dtype)
    with nn.intercept_methods(record):
        program, shapes = jax.make_jaxpr(initialize, return_shape=True)(key, example)
    total = sum(p.size for p in jax.tree.leaves(shapes[1].get("params", {})))
    counted = sum(row.num_params for row in rows)
    if counted != total:
        raise ValueError(
            f"summarize: {type(model).__name__} has {total:,} parameters, {counted:,} of them in "
            f"layers of the known types {', '.join(kind.__name__ for kind in FORMULAS)}; add the "
            "others to dl_jax.models.layer_formulas.FORMULAS"
        )
    image = receptive_fields.of_pixels(input_shape[:-1]) if len(input_shape) > 1 else None
    fields = receptive_fields.follow(program.jaxpr, image, changes)
    used = receptive_fields.reached_from(program.jaxpr, len(jax.tree.leaves(shapes[0])))
    return [
        row._replace(receptive_field=field and max(field.reach), only_training=i not in used)
        for i, (row, field) in enumerate(zip(rows, fields, strict=True))
    ]


def _row(
    layer: nn.Module, shape: Shape, made: Shape, num_params: int
) -> tuple[Row, receptive_fields.Change]:
    """The row, but for what the whole program says, and what the layer does to a field."""
    formulas, path = FORMULAS[type(layer)], "/".join(map(str, layer.path))
    name = f"{path} ({type(layer).__name__})"
    window: Window | None = formulas.window(layer, shape) if formulas.window else None
    try:
        found = output_sizes(window, shape[:-1]) if window else []
    except ValueError as error:  # where Flax would go on with an empty map
        raise ValueError(f"summarize: {name}: {error}") from error
    sizes = tuple(size.value for size in found) if window else shape[:-1]
    output, params = formulas.output(layer, shape, sizes), formulas.params(layer, shape)
    flops = formulas.flops(layer, shape, output)
    text = ", ".join(dict.fromkeys(f"{size.text} = {size.value}" for size in found))
    if output != made:
        raise ValueError(
            f"summarize: {name}: expected {_times(output)} by the formula{' ' if text else ''}"
            f"{text}, but Flax makes {_times(made)} of {_times(shape)}; correct the type's entry "
            "in dl_jax.models.layer_formulas.FORMULAS"
        )
    if params.value != num_params:
        raise ValueError(
            f"summarize: {name}: expected {params.value:,} parameters by the formula "
            f"{params.text}, but Flax makes {num_params:,}; correct the type's entry in "
            "dl_jax.models.layer_formulas.FORMULAS"
        )
    row = Row(
        layer=name,
        output_shape=output,
        num_params=num_params,
        flops=flops.value,
        path=path,
        kind=type(layer).__name__,
        input_shape=shape,
        kernel=window and window.kernel,
        stride=window and window.stride,
        padding=window and window.padding,
        receptive_field=None,
        only_training=False,
        size_formula=text,
        params_formula=params.text,
        flops_formula=flops.text,
    )
    if window:
        return row, partial(receptive_fields.through_windows, window, sizes)
    dense = isinstance(layer, nn.Dense) and len(shape) == 1
    return row, receptive_fields.of_the_whole if dense else lambda field: field


def _times(shape: Shape) -> str:
    return "x".join(map(str, shape))
