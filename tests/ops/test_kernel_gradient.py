"""The gradient by the kernel is the same as a convolution and as a product over the windows."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from dl_jax.ops import conv_general_dilated
from dl_jax.ops import kernel_gradient as by_kernel
from dl_jax.ops.convolution_native import NATIVE, Convolution

WAYS = (by_kernel.by_w_as_convolution, by_kernel.by_w_as_product)
FLOAT = jnp.dtype("float32")


def settings(image, kernel, strides=(1, 1), padding=((0, 0), (0, 0)), dilation=(1, 1)):
    return Convolution(image, kernel, strides, padding, dilation, 1, None)


def whole_numbers(key, n, how, channels=3, features=4):
    """Images and the gradient by the outputs, whose sums are exact in any order."""
    x_key, y_key = jax.random.split(key)
    x = jax.random.randint(x_key, (n, *how.image, channels), -4, 5)
    y = jax.random.randint(y_key, (n, *how.windows.output, features), -4, 5)
    return x.astype(jnp.float32), y.astype(jnp.float32)


HOW = {
    "as it lies": settings((8, 9), (3, 2)),
    "margins": settings((8, 9), (3, 2), padding=((2, 1), (0, 3))),
    "cropped": settings((8, 9), (3, 2), padding=((-1, 0), (1, -2))),
    "a stride that leaves pixels unseen": settings((9, 10), (3, 3), strides=(2, 3)),
    "apart": settings((9, 10), (3, 2), dilation=(2, 3), padding=((1, 1), (2, 0))),
    "all of it": settings((11, 10), (3, 3), (3, 2), ((2, -1), (-1, 4)), (2, 1)),
    "larger than the image": settings((3, 4), (5, 5), padding=((2, 2), (2, 2))),
    "before the image": settings((3, 3), (2, 2), padding=((5, -4), (0, 0))),
    "behind the image": settings((3, 3), (2, 2), padding=((-4, 5), (0, 0))),
    "one window before the image": settings((3, 3), (2, 2), (7, 1), ((3, 2), (0, 0))),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("how", HOW.values(), ids=HOW)
def test_it_is_that_of_lax(how, way, key):
    x, y = whole_numbers(key, 5, how)
    np.testing.assert_array_equal(way(x, y, how), NATIVE.by_w(x, y, how))


@pytest.mark.parametrize(("n", "together"), [(16, 16), (32, 32), (96, 32), (40, 40)])
def test_the_convolution_takes_32_images_at_a_time_or_all_of_them(n, together, key):
    how = HOW["a stride that leaves pixels unseen"]
    x, y = whole_numbers(key, n, how)
    program = jax.jit(by_kernel.by_w_as_convolution, static_argnums=2).lower(x, y, how).as_text()
    turned = f"(tensor<3x9x10x{together}xf32>, tensor<4x3x{together}x4xf32>)"
    assert turned in program
    assert ("stablehlo.while" in program) == (n > together)
    np.testing.assert_array_equal(by_kernel.by_w_as_convolution(x, y, how), NATIVE.by_w(x, y, how))


@pytest.mark.parametrize("n", [1, 7, 64])
def test_the_product_takes_blocks_of_rows_or_of_images(n, key, monkeypatch):
    how = HOW["margins"]
    x, y = whole_numbers(key, n, how)
    monkeypatch.setattr("dl_jax.ops.window_blocks._BLOCK_BYTES", 2_000)  # a row of windows has 864
    np.testing.assert_array_equal(by_kernel.by_w_as_product(x, y, how), NATIVE.by_w(x, y, how))


@pytest.mark.parametrize(
    ("images", "kernel", "as_convolution"),
    [
        ((128, 14, 14, 6), (5, 5, 6, 16), True),  # LeNet's second layer
        ((128, 56, 56, 3), (7, 7, 3, 63), True),
        ((128, 56, 56, 3), (7, 7, 3, 64), False),  # 105 MB, for a product that is large enough
        ((32, 14, 14, 256), (7, 7, 256, 244), True),  # 12 MiB and 244 features, whose product ...
        ((32, 14, 14, 256), (7, 7, 256, 246), False),  # ... is as fast from there on
        ((2, 56, 56, 2), (7, 7, 2, 31), False),  # of two channels, its examples
        ((3, 56, 56, 2), (7, 7, 2, 31), True),
        ((2, 56, 56, 2), (7, 7, 2, 32), True),
        ((2, 56, 56, 1), (7, 7, 1, 31), True),
        ((8, 28, 28, 256), (1, 1, 256, 64), False),  # a product of images as they lie
    ],
)
def test_which_way_is_the_faster_one(images, kernel, as_convolution):
    margin = kernel[0] // 2
    how = settings(images[1:3], kernel[:2], padding=((margin, margin),) * 2)
    assert by_kernel.pays_as_convolution(images, kernel, FLOAT, how) == as_convolution
    for other in (jnp.float64, jnp.bfloat16):
        assert not by_kernel.pays_as_convolution(images, kernel, jnp.dtype(other), how)


def test_in_a_loop_the_arguments_are_turned_beforehand():
    """XLA turns those of its own gradient outside of loops alone."""
    x, w = jnp.ones((4, 16, 14, 14, 6)), jnp.ones((5, 5, 6, 16))

    def energy(w, x):
        layout = ("NHWC", "HWIO", "NHWC")
        return jnp.sum(conv_general_dilated(x, w, (1, 1), "VALID", dimension_numbers=layout) ** 2)

    step = jax.jit(lambda w: lax.scan(lambda w, x: (w - jax.grad(energy)(w, x), None), w, x))
    program = step.lower(w).as_text()
    # Channels as examples and examples as channels, by a kernel of the outputs.
    turned = "(tensor<6x14x14x16xf32>, tensor<10x10x16x16xf32>) -> tensor<6x5x5x16xf32>"
    assert turned in program


def test_blocks_under_shard_map(key):
    how = HOW["margins"]
    x, y = whole_numbers(key, 64, how)
    mesh = jax.make_mesh((1,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    data, everywhere = jax.sharding.PartitionSpec("data"), jax.sharding.PartitionSpec()

    def by_w(x, y):
        return lax.psum(by_kernel.by_w_as_convolution(x, y, how), "data")

    mapped = jax.jit(jax.shard_map(by_w, mesh=mesh, in_specs=(data, data), out_specs=everywhere))
    np.testing.assert_array_equal(mapped(x, y), NATIVE.by_w(x, y, how))
