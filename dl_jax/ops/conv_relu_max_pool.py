"""Convolution, ReLU and max pooling as one operation."""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from dl_jax.ops.activations import relu
from dl_jax.ops.conv_tiles import conv_tiles, is_place, relu_max, tiles_of
from dl_jax.ops.convolution import conv_general_dilated
from dl_jax.ops.once import once
from dl_jax.ops.pooling import max_pool
from dl_jax.ops.sharding import by_device, is_left_to_lax

_FEW_EXAMPLES = 16  # a vector or two of them; below, images are better taken as they are


def conv_relu_max_pool(
    inputs: Float[Array, "n h w c"],
    kernel: Float[Array, "k_h k_w c f"],
    bias: Float[Array, " f"],
    *,
    winograd: bool | None = None,
) -> Float[Array, "n out_h out_w f"]:
    """Return `max_pool(relu(conv(inputs, kernel) + bias))`, without padding, in tiles of 2x2.

        y[n, i, j, f] = relu(b[f] + max_{a, b in 0..1} z[n, 2i + a, 2j + b, f])
        z[n, i, j, f] = sum_{u, v, c} x[n, i + u, j + v, c] w[u, v, c, f]

    Adding the bias and ReLU keep the order of numbers, so that the largest may be found first. On
    a CPU the outputs of the convolution are computed as the four places of each tile
    (`ops.tiles`), in float32 and for kernels of 3x3 by Winograd's algorithm (`ops.winograd`),
    and those that no tile covers are left out. Elsewhere, and for few examples, it is the three
    operations one after the other.

    Where values of a tile are equally large the first of them gets the gradient; the order in
    which sums are rounded may decide which those are. Slides "Convolution Kernel and Bias",
    "Restricted linear unit", "Pooling".

    Args:
        inputs: images or feature maps.
        kernel: the kernels.
        bias: one for each kernel.
        winograd: whether a CPU takes Winograd's algorithm, which rounds otherwise, and at worst 7
            times as much, its gradients 12 times. Unless given: in float32, where there are
            channels enough for it to be faster.

    Raises:
        ValueError: unless the shapes fit each other and at least one tile fits into the image, or
            if Winograd's algorithm is wanted for a kernel that is not 3x3.
    """
    if inputs.ndim != 4 or kernel.ndim != 4 or bias.shape != kernel.shape[3:]:
        raise ValueError(
            "conv_relu_max_pool: expected inputs [n, h, w, c], a kernel [k_h, k_w, c, f] and a "
            f"bias [f], got {inputs.shape}, {kernel.shape} and {bias.shape}"
        )
    (_, *image, _), (*size, _, _) = inputs.shape, kernel.shape
    if winograd and size != [3, 3]:
        raise ValueError(
            f"conv_relu_max_pool: winograd needs a kernel 3x3, got {size[0]}x{size[1]}"
        )
    tiles = tiles_of(inputs, kernel, winograd)
    if min(tiles.output) < 1:
        raise ValueError(
            f"conv_relu_max_pool: expected images of at least {size[0] + 1}x{size[1] + 1} for a "
            f"kernel {size[0]}x{size[1]} and a tile of 2x2, got {image[0]}x{image[1]}"
        )

    def one_by_one(x: jax.Array, w: jax.Array, b: jax.Array) -> jax.Array:
        layout = ("NHWC", "HWIO", "NHWC")
        z = conv_general_dilated(x, w, (1, 1), "VALID", dimension_numbers=layout)
        return relu(max_pool(z, (2, 2), (2, 2)) + b[None, None, None, :])

    def by_tiles(x: jax.Array, w: jax.Array, b: jax.Array) -> jax.Array:
        q = conv_tiles.forward(x.transpose(3, 1, 2, 0), w, tiles)
        return _relu_max(q, b).transpose(3, 1, 2, 0)

    alike = inputs.dtype == kernel.dtype == bias.dtype
    if not alike or not kernel.size or not _in_tiles(inputs, kernel, bias):
        return one_by_one(inputs, kernel, bias)
    # Rematerialised, so that an accelerator does not store what the CPU's gradient wants.
    on_cpu = partial(by_device, jax.checkpoint(by_tiles, prevent_cse=False))
    return lax.platform_dependent(inputs, kernel, bias, cpu=on_cpu, default=one_by_one)


def examples_outermost(y: Float[Array, "n h w f"]) -> Float[Array, "n h w f"]:
    """Return what the last of several `conv_relu_max_pool` has returned, as it is.

    A CPU has its examples innermost. To turn all axes in one pass it reads them along none; here
    rows of examples come first, and then it is the transpose of a matrix `[h w f, n]`, which does
    nothing else. Other devices have nothing to turn, and nor does a CPU where `conv_relu_max_pool`
    takes no tiles.

    Args:
        y: the outputs, in front of an operation that takes each example as a whole.
    """
    if not _in_tiles(y):
        return y
    n, *shape = y.shape
    rows = once(y.transpose(1, 2, 3, 0)).reshape(-1, n)
    return once(rows.T).reshape(n, *shape)


def _in_tiles(examples: jax.Array, *others: jax.Array) -> bool:
    """Whether a CPU takes these examples in tiles, and has them innermost."""
    return (
        examples.dtype in (jnp.float32, jnp.float64)
        and not is_left_to_lax(examples, *others)
        and len(examples) >= _FEW_EXAMPLES
    )


@jax.custom_jvp
def _relu_max(q: jax.Array, b: jax.Array) -> jax.Array:
    """ReLU of the largest of the four places of each tile and the bias."""
    y, _ = relu_max(q, b)
    return once(y)


@_relu_max.defjvp
def _relu_max_jvp(primals, tangents):
    (q, b), (d_q, d_b) = primals, tangents
    y, place = relu_max(q, b)
    place = once(place)
    d_y = jnp.where(is_place(place), d_q, 0).sum(0)
    d_y = d_y + jnp.where(place < 4, d_b[:, None, None, None], 0)
    return once(y), once(d_y)
