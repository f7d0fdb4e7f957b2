"""Convolution, as a matrix product where that is faster."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import DTypeLike
from jaxtyping import Array, Num

from dl_jax.ops.bilinear import bilinear
from dl_jax.ops.convolution_gpu import GPU
from dl_jax.ops.convolution_native import NATIVE, Convolution
from dl_jax.ops.grouped_convolution import GROUPED
from dl_jax.ops.sharding import by_device, is_left_to_lax

_DTYPES = (jnp.float16, jnp.bfloat16, jnp.float32, jnp.float64)
_convolution = bilinear("convolution", default=NATIVE, cpu=GROUPED, example_axis=0, cuda=GPU)


def conv_general_dilated(
    lhs: Num[Array, "..."],
    rhs: Num[Array, "..."],
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: lax.ConvDimensionNumbers | tuple[str, str, str] | None = None,
    feature_group_count: int = 1,
    batch_group_count: int = 1,
    precision: lax.PrecisionLike = None,
    preferred_element_type: DTypeLike | None = None,
) -> Num[Array, "..."]:
    """Convolve as `jax.lax.conv_general_dilated` does, with the same arguments.

        out[n, i, j, f] = sum_{a, b, c} lhs[n, i S + a D - P, j S + b D - P, c] rhs[a, b, c, f]

    with stride S, dilation D and padding P; the output size is the lecture's
    `O = (I - K + 2P) / S + 1` (slide "Output Size in Convolutional Layer").

    On a CPU, XLA's gradients of a convolution are slow, several times slower yet inside a loop.
    There, images without input dilation go through products of their own instead
    (`ops.convolution_cpu`), in value and in every derivative: the same sums, in another order
    where that is faster. On an NVIDIA GPU images of up to four channels do, as those of a
    network's first layer (`ops.convolution_gpu`). Everything else, and every other device,
    takes the native path.

    Args:
        lhs: the inputs, `[n, h, w, c]` under the dimension numbers of a Flax `nn.Conv`.
        rhs: the kernel, `[kernel_h, kernel_w, c, features]`.
        window_strides: one stride for each spatial dimension.
        padding: `"SAME"`, `"VALID"`, or (before, after) for each spatial dimension.
        lhs_dilation: as in `jax.lax.conv_general_dilated`.
        rhs_dilation: the distance between the taps of the kernel.
        dimension_numbers: as in `jax.lax.conv_general_dilated`.
        feature_group_count: as in `jax.lax.conv_general_dilated`.
        batch_group_count: as in `jax.lax.conv_general_dilated`.
        precision: of the products; where one is asked for, as `"highest"`, they are those of pixels
            and taps: in float32 a 3x3 or 5x5 kernel of 32 channels or more otherwise goes by
            Winograd's algorithm on a CPU, which rounds three times as much.
        preferred_element_type: of the sums and the output.

    Raises:
        ValueError, TypeError: as `jax.lax.conv_general_dilated` does.
    """

    lhs, rhs = jnp.asarray(lhs), jnp.asarray(rhs)

    def native(lhs: jax.Array, rhs: jax.Array) -> jax.Array:
        return lax.conv_general_dilated(
            lhs,
            rhs,
            window_strides,
            padding,
            lhs_dilation,
            rhs_dilation,
            dimension_numbers,
            feature_group_count,
            batch_group_count,
            precision,
            preferred_element_type,
        )

    output = jax.eval_shape(native, lhs, rhs)  # also raises lax's own errors
    layout = lax.conv_dimension_numbers(lhs.shape, rhs.shape, dimension_numbers)
    ours = (
        lhs.ndim == 4
        and batch_group_count == 1
        and (lhs_dilation is None or all(d == 1 for d in lhs_dilation))
        and lhs.dtype == rhs.dtype == output.dtype
        and lhs.dtype in _DTYPES
        and not is_left_to_lax(lhs, rhs)
        and min(lhs.size, rhs.size, output.size) > 0
    )
    if not ours:
        return native(lhs, rhs)

    x, w = (
        _ordered(lhs, layout.lhs_spec, (0, 2, 3, 1)),
        _ordered(rhs, layout.rhs_spec, (2, 3, 1, 0)),
    )
    strides = (window_strides[0], window_strides[1])
    dilation = (1, 1) if rhs_dilation is None else (rhs_dilation[0], rhs_dilation[1])
    extent = [d * (k - 1) + 1 for d, k in zip(dilation, w.shape[:2], strict=True)]
    if isinstance(padding, str):
        padding = lax.padtype_to_pads(x.shape[1:3], extent, strides, padding)
    (top, bottom), (left, right) = padding
    how = Convolution(
        image=(x.shape[1], x.shape[2]),
        kernel=(w.shape[0], w.shape[1]),
        strides=strides,
        padding=((top, bottom), (left, right)),
        dilation=dilation,
        groups=feature_group_count,
        # The default that holds here; it may be another one where the program is compiled.
        precision=jax.config.jax_default_matmul_precision if precision is None else precision,  # pyright: ignore[reportAttributeAccessIssue]
    )
    y = by_device(lambda x, w: _convolution.forward(x, w, how), x, w)
    # An axis of the output is found in NHWC, where the layout has it in N, C, H, W.
    return y.transpose(np.argsort([layout.out_spec[i] for i in (0, 2, 3, 1)]))


def _ordered(a: jax.Array, spec: Sequence[int], order: Sequence[int]) -> jax.Array:
    """Bring the axes, named by `spec` in lax's order, into another order of these."""
    return a.transpose([spec[i] for i in order])
