"""Convolutions of many channels go by Winograd's algorithm: the same sums, a little less exact."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from dl_jax import ops
from dl_jax.ops.convolution_native import NATIVE, Convolution
from dl_jax.ops.winograd_rows import by_w_by_rows, matrices

PADDINGS = ("SAME", "VALID", ((0, 2), (1, 0)), ((-1, 0), (0, -2)))
SIDES = (3, 5)


def arguments(key, width=7, dtype=jnp.float32, channels=128, features=256, side=3):
    x = jax.random.uniform(key, (8, 9, width, channels), dtype, -1, 1)
    w = jax.random.uniform(key, (side, side, channels, features), dtype, -1, 1)
    return x, w


def convolve(x, w, padding="SAME", convolution=ops.conv_general_dilated, **options):
    layout = ("NHWC", "HWIO", "NHWC")
    return convolution(x, w, (1, 1), padding, dimension_numbers=layout, **options)


def native(x, w, padding="SAME"):
    return convolve(x, w, padding, lax.conv_general_dilated)


def products(program: str) -> int:
    return program.count("stablehlo.convolution") + program.count("stablehlo.dot_general")


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("width", [9, 10, 11, 12])
@pytest.mark.parametrize("padding", PADDINGS)
def test_equals_lax(width, padding, side, key):
    x, w = arguments(key, width, side=side)
    terms = side**2 * 128
    # Of so many products of numbers up to 1 the sum grows as a random walk, by a third of a product
    # at a time; the error of each of its roundings, 2^-24 of it, does as well; three times as much
    # is allowed.
    bound = 3 * (terms**0.5 / 3) * terms**0.5 * 2**-24
    np.testing.assert_allclose(convolve(x, w, padding), native(x, w, padding), atol=4 * bound)


@pytest.mark.parametrize("side", SIDES)
def test_it_rounds_about_three_times_as_much_as_the_sums(side, key):
    x, w = arguments(key, 12, side=side)
    with jax.enable_x64(True):
        exact = np.asarray(native(x.astype(jnp.float64), w.astype(jnp.float64)))
    ours, laxs = (
        np.sqrt(np.mean((np.asarray(y) - exact) ** 2)) for y in (convolve(x, w), native(x, w))
    )
    assert ours < 4 * laxs  # 2.1 and 2.9 on the machine of docs/performance_notes.md


@pytest.mark.parametrize("side", SIDES)
def test_its_gradients_are_those_of_the_convolution(side, key):
    x, w = arguments(key, side=side)

    def gradients(convolution):
        return jax.grad(lambda x, w: jnp.mean(convolution(x, w) ** 2), (0, 1))(x, w)

    terms = side**2 * 256  # of a gradient by a pixel; by a tap they are 8 x 9 x 7
    for ours, laxs in zip(gradients(convolve), gradients(native), strict=True):
        # The roundings of both add up to 2 sqrt(terms) 2^-24 at most.
        np.testing.assert_allclose(
            ours, laxs, atol=3 * 2 * terms**0.5 * 2**-24 * float(jnp.abs(laxs).max())
        )


@pytest.mark.parametrize(
    ("images", "size", "by_rows"),
    [
        ((8, 28, 28, 256), 3, True),
        ((8, 28, 28, 100), 3, True),  # 564 million products, more than 2^29
        ((8, 28, 28, 96), 3, False),  # 520 million
        ((8, 28, 28, 96), 5, False),  # in a cache the convolution is faster than those of F(2, 5)
        ((32, 28, 28, 96), 5, True),
    ],
)
def test_a_large_gradient_by_the_kernel_goes_that_way_too(images, size, by_rows):
    x = jax.ShapeDtypeStruct(images, jnp.float32)
    w = jax.ShapeDtypeStruct((size, size, images[3], images[3]), jnp.float32)

    def by_w(x, w):
        y, pull_back = jax.vjp(lambda w: convolve(x, w), w)
        return pull_back(y)

    # Six products of the forward pass, and one in the loop over blocks of each of the six sums.
    assert products(jax.jit(by_w).lower(x, w).as_text()) == 6 + (6 if by_rows else 1)


@pytest.mark.parametrize("side", SIDES)
def test_the_gradient_by_the_kernel_is_that_of_the_convolution(side, key):
    x, w = arguments(key, side=side)
    y = native(x, w)
    margin = (side // 2, side // 2)
    image = (x.shape[1], x.shape[2])
    how = Convolution(image, (side, side), (1, 1), (margin, margin), (1, 1), 1, None)
    ours, laxs = by_w_by_rows(x, y, how), NATIVE.by_w(x, y, how)
    terms = 8 * 9 * 7
    np.testing.assert_allclose(
        ours, laxs, atol=3 * 2 * terms**0.5 * 2**-24 * float(jnp.abs(laxs).max())
    )


def test_composes_under_vmap(key):
    x, w = arguments(key)
    xs = jnp.stack([x, 2 * x])
    np.testing.assert_allclose(
        jax.vmap(convolve, (0, None))(xs, w)[1], 2 * convolve(x, w), rtol=1e-3, atol=1e-3
    )


def test_is_chosen_for_many_channels_in_float32_alone(key):
    def count(x, w, **options):
        return products(jax.jit(lambda x, w: convolve(x, w, **options)).lower(x, w).as_text())

    assert count(*arguments(key)) == 6
    assert count(*arguments(key, side=5)) == 6
    assert count(*arguments(key), precision="default") == 6
    assert count(*arguments(key), precision="highest") == 1
    assert count(*arguments(key), precision=lax.Precision.HIGH) == 1
    assert count(*arguments(key, channels=32)) == 6
    assert count(*arguments(key, channels=31)) == 1
    assert count(*arguments(key, features=31)) == 1
    assert count(jnp.ones((64, 9, 3, 64)), jnp.ones((3, 3, 64, 64))) == 1
    assert count(*arguments(key, width=5)) == 1  # 360 outputs, all images together
    assert count(jnp.ones((64, 9, 5, 64)), jnp.ones((3, 3, 64, 64))) == 1  # half of a tile wasted
    assert count(jnp.ones((64, 9, 6, 64)), jnp.ones((3, 3, 64, 64))) == 6
    assert count(jnp.ones((64, 6, 6, 64)), jnp.ones((3, 3, 64, 64)), padding="VALID") == 1
    assert count(jnp.ones((64, 9, 10, 64)), jnp.ones((3, 3, 64, 64)), padding="VALID") == 6
    assert count(*arguments(key, dtype=jnp.bfloat16)) == 1
    with jax.enable_x64(True):
        assert count(*arguments(key, dtype=jnp.float64)) == 1


def test_a_kernel_larger_than_the_image_goes_another_way(key):
    low = jnp.ones((32, 4, 8, 64))
    kernel = jnp.ones((5, 5, 64, 64))
    program = jax.jit(convolve).lower(low, kernel).as_text()
    assert products(program) == 1
    assert products(jax.jit(convolve).lower(jnp.ones((32, 5, 8, 64)), kernel).as_text()) == 6


@pytest.mark.parametrize("taps", range(2, 6))
def test_six_products_are_the_outputs_of_six_pixels(taps):
    outputs, kernel, pixels = matrices(taps)
    d, g = np.random.default_rng(0).random(6), np.random.default_rng(1).random(taps)
    got = outputs @ ((kernel @ g) * (pixels @ d))
    assert outputs.shape == (7 - taps, 6)
    np.testing.assert_allclose(got, np.correlate(d, g), rtol=0, atol=100 * 2**-52)
