"""Convolutions as an NVIDIA GPU is given them: those of few channels in another form."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dl_jax.ops import conv_general_dilated
from dl_jax.ops.convolution_gpu import GPU, by_depth, by_windows
from dl_jax.ops.convolution_native import NATIVE, Convolution

LAYOUT = ("NHWC", "HWIO", "NHWC")


def settings(image, kernel, strides, padding=((0, 0), (0, 0)), dilation=(1, 1), groups=1):
    return Convolution(image, kernel, strides, padding, dilation, groups, None)


@pytest.mark.parametrize(
    ("channels", "how"),
    [
        (3, settings((16, 17), (7, 7), (2, 2), ((3, 3), (3, 3)))),  # ResNet's first
        (3, settings((19, 20), (11, 11), (4, 4))),  # AlexNet's first
        (2, settings((12, 13), (3, 4), (2, 3), ((1, 0), (-1, 2)))),
        (4, settings((10, 11), (3, 3), (2, 1), ((0, 1), (1, 1)))),
        (1, settings((9, 10), (3, 3), (1, 1), ((0, 0), (1, 1)))),
        (1, settings((9, 10), (5, 4), (2, 1), ((2, 2), (-1, 3)))),
        (1, settings((9, 10), (2, 3), (1, 2), dilation=(3, 2))),
        (3, settings((16, 17), (3, 3), (2, 2), dilation=(1, 2))),  # left to XLA
        (4, settings((16, 17), (3, 3), (2, 2), groups=2)),
    ],
)
def test_its_products_are_those_of_xla(channels, how, key):
    keys = jax.random.split(key, 3)
    x = jax.random.normal(keys[0], (2, *how.image, channels))
    w = jax.random.normal(keys[1], (*how.kernel, channels // how.groups, 6))
    y = NATIVE.forward(x, w, how)
    d_y = jax.random.normal(keys[2], y.shape)
    # Sums of products of numbers of a few, each rounded once: an absolute error for each.
    taps, windows = w[..., 0].size, y[..., 0].size
    np.testing.assert_allclose(GPU.forward(x, w, how), y, atol=16 * taps * 2**-23)
    np.testing.assert_allclose(
        GPU.by_w(x, d_y, how), NATIVE.by_w(x, d_y, how), atol=16 * windows * 2**-23
    )
    np.testing.assert_array_equal(GPU.by_x(d_y, w, how), NATIVE.by_x(d_y, w, how))


def test_the_pixels_between_two_windows_become_channels(key):
    x = jax.random.normal(key, (2, 32, 32, 3))
    how = settings((32, 32), (7, 7), (2, 2), ((3, 3), (3, 3)))
    text = jax.jit(lambda x, w: by_depth(x, w, how)).lower(x, jnp.ones((7, 7, 3, 8))).as_text()
    assert "(tensor<2x19x19x12xf32>, tensor<4x4x12x8xf32>) -> tensor<2x16x16x8xf32>" in text


@pytest.mark.parametrize(
    ("shape", "kernel", "strides", "expected"),
    [
        ((2, 32, 32, 3), (7, 7, 3, 8), (2, 2), "tensor<4x4x12x8xf32>"),
        ((2, 32, 32, 3), (3, 3, 3, 8), (1, 1), "tensor<3x3x3x8xf32>"),
        ((2, 32, 32, 3), (1, 1, 3, 8), (2, 2), "tensor<1x1x3x8xf32>"),  # sees no pixels between
        ((2, 32, 32, 4), (7, 7, 4, 8), (2, 2), "tensor<4x4x16x8xf32>"),
        ((2, 32, 32, 5), (7, 7, 5, 8), (2, 2), "tensor<7x7x5x8xf32>"),
        ((2, 28, 28, 1), (3, 3, 1, 8), (1, 1), "tensor<9x8xf32>"),
        ((2, 28, 28, 1), (7, 7, 1, 8), (1, 1), "tensor<7x7x1x8xf32>"),
    ],
)
def test_which_of_them_a_gpu_gets(shape, kernel, strides, expected):
    def convolve(x, w):
        return conv_general_dilated(x, w, strides, "VALID", dimension_numbers=LAYOUT)

    traced = jax.jit(convolve).trace(jnp.ones(shape), jnp.ones(kernel))
    text = {p: traced.lower(lowering_platforms=(p,)).as_text() for p in ("cuda", "tpu")}
    assert f", {expected})" in text["cuda"]
    assert f"tensor<{'x'.join(map(str, kernel))}xf32>)" in text["tpu"].split("convolution")[1]


def test_narrow_numbers_add_up_in_float32():
    how = settings((8, 8), (1, 1), (1, 1))
    ones = jnp.ones((1, 8, 8, 1), jnp.bfloat16)
    by_w = jax.jit(lambda x, y: GPU.by_w(x, y, how))
    assert by_w(ones, ones).dtype == by_windows(ones, ones[:, :1, :1], how).dtype == jnp.bfloat16
    (product,) = [s for s in by_w.lower(ones, ones).as_text().split("\n") if "dot_general" in s]
    assert product.endswith("-> tensor<1x1xf32>")
