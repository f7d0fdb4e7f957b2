"""The arithmetic of convolutional layers: sizes, parameters, receptive fields. Whole numbers only.

Everything is of one side of an image; call twice where height and width differ.
"""

import operator
from collections.abc import Sequence
from typing import Literal, NamedTuple

Rounding = Literal["floor", "ceil"]


def conv_output_size(
    size: int,
    kernel_size: int,
    *,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    rounding: Rounding | None = None,
) -> int:
    """Return `O = (I - K + 2P) / S + 1`. Slide "Output Size in Convolutional Layer".

    A dilated kernel reaches over `D (K - 1) + 1` pixels, which takes the place of K.

    Where the stride does not divide, no output has the formula's size. Frameworks round without
    a word; here rounding must be asked for.

    Args:
        size: I, the side of the input.
        kernel_size: K, the side of the kernel.
        stride: S, the distance between positions.
        padding: P, on either side.
        dilation: D, the distance between taps of the kernel.
        rounding: `"floor"` leaves out the pixels that are left over, as JAX, Keras and PyTorch do.
            `"ceil"` adds a position that reaches over the edge, unless it would begin beyond the
            image and its left padding, as PyTorch's pooling does with `ceil_mode=True`.

    Raises:
        TypeError: if a number is not whole.
        ValueError: if a number is not positive (a padding may be 0), the kernel is larger than
            the padded image, the stride does not divide and no rounding is given, or the rounding
            is another.

    >>> conv_output_size(227, 11, stride=4)  # AlexNet's first layer, 55x55x96 with its 96 kernels
    55
    """
    name = "conv_output_size"
    size, kernel_size, stride, dilation = _positive(
        name, size=size, kernel_size=kernel_size, stride=stride, dilation=dilation
    )
    if _whole(name, "padding", padding) < 0:
        raise ValueError(f"{name}: expected a padding of at least 0, got {padding}")
    extent, formula = kernel_size, "(I - K + 2P)"
    if dilation > 1:
        extent, formula = dilation * (kernel_size - 1) + 1, "(I - D (K - 1) - 1 + 2P)"
    return _positions(name, formula, size, extent, stride, operator.index(padding), rounding)


def pool_output_size(
    size: int, pool_size: int, *, stride: int, rounding: Rounding | None = None
) -> int:
    """Return `O = (I - P_s) / S + 1`; the channels stay. Slide "Output Size in Pooling".

    Args:
        size: I, the side of the input.
        pool_size: P_s, the side of the window.
        stride: S, the distance between windows.
        rounding: as in `conv_output_size`.

    Raises:
        TypeError, ValueError: as `conv_output_size` does.

    >>> pool_output_size(55, 3, stride=2)  # AlexNet's first pooling, 27x27x96
    27
    """
    name = "pool_output_size"
    size, pool_size, stride = _positive(name, size=size, pool_size=pool_size, stride=stride)
    return _positions(name, "(I - P_s)", size, pool_size, stride, 0, rounding)


class ConvParameters(NamedTuple):
    """How many parameters a convolution has.

    Attributes:
        weights: W_c.
        biases: B_c.
    """

    weights: int
    biases: int

    @property
    def total(self) -> int:
        """`P_c = W_c + B_c`."""
        return self.weights + self.biases


def conv_parameters(kernel_size: int, in_channels: int, features: int) -> ConvParameters:
    """Return `W_c = K^2 C N` and `B_c = N`. Slide "# of Parameters in Convolutional Layer".

    Args:
        kernel_size: K, the side of the kernels.
        in_channels: C, which is also the depth of each kernel.
        features: N, the number of kernels.

    Raises:
        TypeError: if a number is not whole.
        ValueError: if a number is not positive.

    >>> conv_parameters(11, 3, 96), conv_parameters(11, 3, 96).total  # AlexNet's first layer
    (ConvParameters(weights=34848, biases=96), 34944)
    """
    kernel_size, in_channels, features = _positive(
        "conv_parameters", kernel_size=kernel_size, in_channels=in_channels, features=features
    )
    return ConvParameters(kernel_size**2 * in_channels * features, features)


def receptive_field(layers: Sequence[tuple[int, int] | tuple[int, int, int]]) -> int:
    """Return how many pixels a side one output sees, `r = 1 + sum_l D_l (K_l - 1) j_l`.

    A step of layer l is `j_l = S_1 ... S_{l-1}` pixels of the image, and its kernel reaches
    `D_l (K_l - 1)` steps from its first tap to its last (Araujo, Norris and Sim 2019, "Computing
    Receptive Fields of Convolutional Neural Networks", Distill). At the edge of an image a part of
    it may lie in the padding. Slide "Individual neurons respond to stimuli only in ... the
    Receptive Field".

    Args:
        layers: (kernel size, stride) or (kernel size, stride, dilation) of each convolution and
            pooling, from the image on; none, and an output is a pixel.

    Raises:
        TypeError: if a number is not whole.
        ValueError: if a number is not positive or a layer has neither two nor three.

    >>> receptive_field([(3, 1), (2, 2), (3, 1), (2, 2)])  # the lecture's network for MNIST
    10
    """
    reach, step = 1, 1
    for i, layer in enumerate(layers):
        name = f"receptive_field, layer {i}"
        if not isinstance(layer, Sequence) or len(layer) not in (2, 3):
            raise ValueError(
                f"{name}: expected (kernel size, stride) or (kernel size, stride, dilation), "
                f"got {layer}"
            )
        named = dict(zip(("kernel_size", "stride", "dilation"), (*layer, 1), strict=False))
        kernel_size, stride, dilation = _positive(name, **named)
        reach += dilation * (kernel_size - 1) * step
        step *= stride
    return reach


def _positions(
    name: str,
    formula: str,
    size: int,
    extent: int,
    stride: int,
    padding: int,
    rounding: Rounding | None,
) -> int:
    free = size - extent + 2 * padding
    if free < 0 and not (rounding == "ceil" and -free < stride):  # the only window may overhang
        raise ValueError(
            f"{name}: expected a window no larger than the padded image, "
            f"got {extent} over {size + 2 * padding}"
        )
    if rounding not in (None, "floor", "ceil"):
        raise ValueError(f"{name}: expected rounding 'floor', 'ceil' or None, got {rounding!r}")
    if free % stride == 0 or rounding == "floor":
        return free // stride + 1
    if rounding == "ceil":
        last = free // stride + 1
        return last + 1 if last * stride < size + padding else last
    raise ValueError(
        f"{name}: {formula} = {free} does not divide by the stride {stride}: {free % stride} left "
        "over, which rounding='floor' leaves out and rounding='ceil' covers"
    )


def _positive(name: str, **numbers: int) -> list[int]:
    for what, number in numbers.items():
        if _whole(name, what, number) < 1:
            raise ValueError(f"{name}: expected a positive {what}, got {number}")
    return [operator.index(number) for number in numbers.values()]


def _whole(name: str, what: str, number: int) -> int:
    try:
        return operator.index(number)
    except TypeError:
        raise TypeError(f"{name}: expected a whole number as {what}, got {number!r}") from None
