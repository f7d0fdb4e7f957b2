"""What each type of layer puts out, learns and computes, by formula, with the numbers filled in."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from flax import linen as nn
from jax import lax

from dl_jax.models.layers import (
    AvgPool,
    BagOfWordsDense,
    BatchNorm,
    Dropout,
    Flatten,
    LocalResponseNorm,
    MaxPool,
)
from dl_jax.ops import conv_output_size
from dl_jax.ops.arithmetic import Rounding

Shape = tuple[int, ...]
"""Of one example, without the batch axis; channels last."""


class Formula(NamedTuple):
    """A formula.

    Attributes:
        text: with the layer's numbers, as `11*11*3*96 + 96`.
        value: what it comes to.
    """

    text: str
    value: int


class Window(NamedTuple):
    """The windows of a convolution or of pooling; a number for each axis of the map.

    Attributes:
        kernel: their size.
        stride: the distance between them.
        padding: what is added before and behind.
        dilation: the distance between taps of a kernel.
        rounding: of the output size, where the stride does not divide.
    """

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]
    rounding: Rounding


class Formulas(NamedTuple):
    """What is known of a type of layer.

    Attributes:
        output: from the layer, the input's shape and the sizes that the windows give, the output's
            shape; without windows the sizes are the input's.
        params: from the layer and the input's shape, the number of weights and biases.
        flops: from the layer, the input's and the output's shape, the operations of the forward
            pass of one example.
        window: from the layer and the input's shape, its windows; None where it has none.
    """

    output: Callable[[Any, Shape, Shape], Shape]
    params: Callable[[Any, Shape], Formula]
    flops: Callable[[Any, Shape, Shape], Formula]
    window: Callable[[Any, Shape], Window] | None = None


def output_sizes(window: Window, sizes: Shape) -> list[Formula]:
    """Return `O = (I - K + 2P) / S + 1` for each axis. Slide "Output Size in Convolutional Layer".

    Pooling has the same formula. Different paddings before and behind take the place of 2P; a
    dilated kernel reaches over `D (K - 1) + 1`.

    Args:
        window: the windows.
        sizes: I, of each axis.

    Raises:
        ValueError: from `ops.conv_output_size`, where a window is larger than the padded map.

    >>> output_sizes(Window((11,), (4,), ((0, 0),), (1,), "floor"), (227,))
    [Formula(text='(227 - 11 + 2*0)/4 + 1', value=55)]
    """
    kernel, stride, padding, dilation, rounding = window
    return [
        _output_size(*axis, rounding)
        for axis in zip(sizes, kernel, stride, padding, dilation, strict=True)
    ]


def _output_size(
    size: int, kernel: int, stride: int, padding: tuple[int, int], dilation: int, rounding: Rounding
) -> Formula:
    before, behind = padding
    pads, inside = f"2*{before}", before
    if before != behind:  # the formula's 2P is their sum, which need not be even
        pads, inside = f"{before} + {behind}", 0
    padded = size + before + behind - 2 * inside
    value = conv_output_size(
        padded, kernel, stride=stride, padding=inside, dilation=dilation, rounding=rounding
    )
    extent = f"{kernel}" if dilation == 1 else f"({dilation}*({kernel} - 1) + 1)"
    quotient = f"({size} - {extent} + {pads})/{stride}"
    if (size - dilation * (kernel - 1) - 1 + before + behind) % stride:
        quotient = f"{rounding}({quotient})"
    return Formula(f"{quotient} + 1", value)


def _conv_window(layer: nn.Conv, shape: Shape) -> Window:
    rank = len(shape) - 1
    kernel = _each(layer.kernel_size, 1)  # as Flax has it: a number is a kernel of one axis
    if layer.input_dilation not in (None, 1, (1,) * rank) or len(kernel) != rank:
        raise ValueError(
            f"summarize: expected convolutions over all {rank} axes, without input_dilation, got "
            f"kernel_size {layer.kernel_size} and input_dilation {layer.input_dilation} in "
            f"{layer.name}; there is no formula for its output"
        )
    stride, dilation = _each(layer.strides, rank), _each(layer.kernel_dilation, rank)
    extents = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    pads = layer.padding
    if pads == "CAUSAL":
        pads = [(extent - 1, 0) for extent in extents]
    elif isinstance(pads, str):  # CIRCULAR and REFLECT add as much as SAME, of something else
        pads = lax.padtype_to_pads(
            shape[:-1], extents, stride, "VALID" if pads == "VALID" else "SAME"
        )
    elif isinstance(pads, int):
        pads = [(pads, pads)] * rank
    sides = tuple((p, p) if isinstance(p, int) else (int(p[0]), int(p[1])) for p in pads)
    return Window(kernel, stride, sides, dilation, "floor")


def _each(value: Any, rank: int) -> tuple[int, ...]:
    if value is None or isinstance(value, int):
        return (1 if value is None else value,) * rank
    return tuple(value)


def _max_pool_window(layer: MaxPool, shape: Shape) -> Window:
    pads = ((layer.padding, layer.padding),) * 2
    rounding = "ceil" if layer.round_up else "floor"
    return Window(layer.window, layer.strides or layer.window, pads, (1, 1), rounding)


def _avg_pool_window(layer: AvgPool, shape: Shape) -> Window:
    window = layer.window or (shape[0], shape[1])
    stride = layer.strides or layer.window or (1, 1)  # one window has no distance to another
    return Window(window, stride, ((0, 0),) * 2, (1, 1), "floor")


def _conv_params(layer: nn.Conv, shape: Shape) -> Formula:
    """`W_c = K^2 C / G N` and `B_c = N`: a kernel of one of G groups sees C / G channels."""
    kernel, groups = _each(layer.kernel_size, 1), layer.feature_group_count
    channels = f"{shape[-1]}" if groups == 1 else f"({shape[-1]}/{groups})"
    weights = math.prod(kernel) * shape[-1] // groups * layer.features
    return _with_bias(f"{_product(kernel)}*{channels}*{layer.features}", weights, layer)


def _dense_params(layer: nn.Dense, shape: Shape) -> Formula:
    return _with_bias(f"{shape[-1]}*{layer.features}", shape[-1] * layer.features, layer)


def _with_bias(text: str, weights: int, layer: nn.Conv | nn.Dense) -> Formula:
    if not layer.use_bias:
        return Formula(text, weights)
    return Formula(f"{text} + {layer.features}", weights + layer.features)


def _conv_flops(layer: nn.Conv, shape: Shape, output: Shape) -> Formula:
    kernel = _each(layer.kernel_size, 1)
    return _products((*kernel, shape[-1] // layer.feature_group_count), layer, output)


def _dense_flops(layer: nn.Dense, shape: Shape, output: Shape) -> Formula:
    return _products((shape[-1],), layer, output)


def _products(terms: Shape, layer: nn.Conv | nn.Dense, output: Shape) -> Formula:
    """As many products as terms and one addition fewer, and one for the bias, for each output."""
    each, text = 2 * math.prod(terms), f"2*{_product(terms)}"
    if not layer.use_bias:
        each, text = each - 1, f"({text} - 1)"
    return Formula(f"{text}*{_product(output)}", each * math.prod(output))


def _per_value(operations: int, output: Shape) -> Formula:
    return Formula(f"{operations}*{_product(output)}", operations * math.prod(output))


def _product(factors: Shape) -> str:
    return "*".join(map(str, factors))


def _same(layer: Any, shape: Shape, sizes: Shape) -> Shape:
    return shape


def _features(layer: Any, shape: Shape, sizes: Shape) -> Shape:
    return (*sizes, layer.features)


def _channels(layer: Any, shape: Shape, sizes: Shape) -> Shape:
    return (*sizes, shape[-1])


def _nothing(*of: Any) -> Formula:
    return Formula("0", 0)


def _scale_and_bias(layer: nn.Module, shape: Shape) -> Formula:
    each = getattr(layer, "use_scale", True) + getattr(layer, "use_bias", True)
    return Formula(f"{each}*{shape[-1]}", each * shape[-1])


# `a x + b`, once mean and variance are known; those are not learned.
_BATCH_NORM = Formulas(_same, _scale_and_bias, lambda layer, shape, output: _per_value(2, output))

FORMULAS: dict[type[nn.Module], Formulas] = {
    nn.Conv: Formulas(_features, _conv_params, _conv_flops, _conv_window),
    nn.Dense: Formulas(_features, _dense_params, _dense_flops),
    BagOfWordsDense: Formulas(  # one addition of a row for each word
        _features,
        lambda layer, shape: Formula(
            f"{layer.num_words}*{layer.features} + {layer.features}",
            (layer.num_words + 1) * layer.features,
        ),
        lambda layer, shape, output: _per_value(shape[-1], output),
    ),
    MaxPool: Formulas(_channels, _nothing, _nothing, _max_pool_window),
    AvgPool: Formulas(  # additions, one fewer than values, and a division
        _channels,
        _nothing,
        lambda layer, shape, output: _per_value(
            math.prod(_avg_pool_window(layer, shape).kernel), output
        ),
        _avg_pool_window,
    ),
    BatchNorm: _BATCH_NORM,
    nn.BatchNorm: _BATCH_NORM,
    # A square, its sum over the channels, alpha and k, and the product with the power.
    LocalResponseNorm: Formulas(
        _same, _nothing, lambda layer, shape, output: _per_value(layer.size + 3, output)
    ),
    Flatten: Formulas(lambda layer, shape, sizes: (math.prod(shape),), _nothing, _nothing),
    Dropout: Formulas(_same, _nothing, _nothing),
    nn.Dropout: Formulas(_same, _nothing, _nothing),
}
"""The layers that are rows of the table."""
