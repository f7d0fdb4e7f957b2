"""Convolution, as a matrix product where that is faster."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import DTypeLike
from jaxtyping import Array, Num

from dl_jax.ops.patches import Windows, is_sharded, patches

_NHWC = ("NHWC", "HWIO", "NHWC")


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

    On a CPU, XLA's gradient of a convolution by its kernel is slow, and several times slower yet
    inside a loop. There, images (NHWC inputs, HWIO kernels, no groups, no input dilation) go
    through one matrix product over the windows instead: the same sums in another order, equal to
    rounding in value and gradient. Everything else, and every other device, takes the native path.

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
        precision: of the products.
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
    plain = (
        lhs.ndim == 4
        and layout == lax.conv_dimension_numbers(lhs.shape, rhs.shape, _NHWC)
        and feature_group_count == batch_group_count == 1
        and (lhs_dilation is None or all(d == 1 for d in lhs_dilation))
        and jnp.issubdtype(lhs.dtype, jnp.floating)
        and min(lhs.size, rhs.size, output.size) > 0
        and not is_sharded(lhs, rhs)
    )
    if not plain:
        return native(lhs, rhs)

    size = (rhs.shape[0], rhs.shape[1])
    strides = (window_strides[0], window_strides[1])
    dilation = (1, 1) if rhs_dilation is None else (rhs_dilation[0], rhs_dilation[1])
    extent = [d * (k - 1) + 1 for d, k in zip(dilation, size, strict=True)]
    if isinstance(padding, str):
        padding = lax.padtype_to_pads(lhs.shape[1:3], extent, strides, padding)
    margins = ((0, 0, 0), *((low, high, 0) for low, high in padding), (0, 0, 0))

    def product(lhs: jax.Array, rhs: jax.Array) -> jax.Array:
        x = lax.pad(lhs, jnp.zeros((), lhs.dtype), margins)  # margins may be negative: cropped
        rows = patches(x, Windows((x.shape[1], x.shape[2]), size, strides, dilation))
        y = jnp.matmul(
            rows.reshape(-1, size[0] * size[1] * x.shape[-1]),
            rhs.reshape(-1, rhs.shape[-1]),
            precision=precision,
            preferred_element_type=preferred_element_type,
        )
        return y.reshape(output.shape)

    # Rematerialised, so that no platform stores the windows that only the CPU's gradient wants.
    product = jax.checkpoint(product, prevent_cse=False)
    return lax.platform_dependent(lhs, rhs, cpu=product, default=native)
