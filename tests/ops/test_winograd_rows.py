"""Convolutions of many channels go by Winograd's algorithm: the same sums, a little less exact."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from dl_jax import ops

PADDINGS = ("SAME", "VALID", ((0, 2), (1, 0)), ((-1, 0), (0, -2)))


def arguments(key, width=7, dtype=jnp.float32, channels=128, features=256):
    x = jax.random.uniform(key, (8, 9, width, channels), dtype, -1, 1)
    w = jax.random.uniform(key, (3, 3, channels, features), dtype, -1, 1)
    return x, w


def convolve(x, w, padding="SAME", convolution=ops.conv_general_dilated, **options):
    layout = ("NHWC", "HWIO", "NHWC")
    return convolution(x, w, (1, 1), padding, dimension_numbers=layout, **options)


def native(x, w, padding="SAME"):
    return convolve(x, w, padding, lax.conv_general_dilated)


def products(program: str) -> int:
    return program.count("stablehlo.convolution") + program.count("stablehlo.dot_general")


@pytest.mark.parametrize("width", [9, 10])
@pytest.mark.parametrize("padding", PADDINGS)
def test_equals_lax(width, padding, key):
    x, w = arguments(key, width)
    # Nine times 128 products of numbers up to 1, whose sum grows as a random walk to about 13: the
    # error of each of its roundings, 2^-24 of it, does as well; three times as much is allowed.
    bound = 3 * 13 * np.sqrt(9 * 128) * 2**-24
    np.testing.assert_allclose(convolve(x, w, padding), native(x, w, padding), atol=4 * bound)


def test_its_gradients_are_those_of_the_convolution(key):
    x, w = arguments(key)

    def gradients(convolution):
        return jax.grad(lambda x, w: jnp.mean(convolution(x, w) ** 2), (0, 1))(x, w)

    for ours, laxs in zip(gradients(convolve), gradients(native), strict=True):
        # Of sums of some 2,000 terms the roundings of both add up to 2 sqrt(2000) 2^-24 at most.
        np.testing.assert_allclose(
            ours, laxs, atol=3 * 2 * 45 * 2**-24 * float(jnp.abs(laxs).max())
        )


def test_the_gradient_by_the_kernel_goes_that_way_too(key):
    x, w = arguments(key)
    by_w = jax.jit(jax.grad(lambda w: jnp.sum(convolve(x, w) ** 2)))
    # Four products of the forward pass, and one in the loop over blocks of each of the four sums.
    assert products(by_w.lower(w).as_text()) == 4 + 4


def test_composes_under_vmap(key):
    x, w = arguments(key)
    xs = jnp.stack([x, 2 * x])
    np.testing.assert_allclose(
        jax.vmap(convolve, (0, None))(xs, w)[1], 2 * convolve(x, w), rtol=1e-3, atol=1e-3
    )


def test_is_chosen_for_many_channels_in_float32_alone(key):
    def count(x, w, **options):
        return products(jax.jit(lambda x, w: convolve(x, w, **options)).lower(x, w).as_text())

    assert count(*arguments(key)) == 4
    assert count(*arguments(key), precision="default") == 4
    assert count(*arguments(key), precision="highest") == 1
    assert count(*arguments(key), precision=lax.Precision.HIGH) == 1
    assert count(*arguments(key, channels=64)) == 4
    assert count(*arguments(key, channels=63)) == 1
    assert count(*arguments(key, features=63)) == 1
    assert count(*arguments(key, width=3)) == 1
    assert count(*arguments(key, dtype=jnp.bfloat16)) == 1
    with jax.enable_x64(True):
        assert count(*arguments(key, dtype=jnp.float64)) == 1


@pytest.mark.parametrize(
    ("size", "channels", "expected"), [(56, 32, 4), (56, 31, 1), (28, 64, 1), (28, 128, 4)]
)
def test_a_gradient_by_the_kernel_of_many_pixels_takes_fewer_channels(size, channels, expected):
    x = jax.ShapeDtypeStruct((8, size, size, channels), jnp.float32)
    w = jax.ShapeDtypeStruct((3, 3, channels, channels), jnp.float32)

    def by_w(x, y):
        (d_w,) = jax.linear_transpose(lambda w: convolve(x, w), w)(y)
        return d_w

    program = jax.jit(by_w).lower(x, x).as_text()
    assert program.count("stablehlo.dot_general") == expected  # products of F(2, 3), or one
