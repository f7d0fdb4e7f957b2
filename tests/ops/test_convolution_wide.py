"""Images side by side are convolved as each alone, and XLA never gets any without padding."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from dl_jax.ops import conv_general_dilated
from dl_jax.ops.convolution_native import Convolution, native
from dl_jax.ops.convolution_wide import images_a_row, side_by_side, with_padding

NHWC = ("NHWC", "HWIO", "NHWC")


def settings(side, kernel=3, stride=1, padding=((1, 1), (1, 1)), dilation=1) -> Convolution:
    return Convolution(
        (side, side), (kernel, kernel), (stride, stride), padding, (dilation, dilation), 1, None
    )


@pytest.mark.parametrize(
    ("side", "changes"),
    [
        (20, {}),
        (20, {"stride": 2}),
        (21, {"stride": 2}),
        (20, {"stride": 3, "kernel": 2, "padding": ((0, 0), (0, 0))}),
        (20, {"padding": ((0, 0), (0, 0))}),
        (20, {"padding": ((2, 0), (0, 3)), "kernel": 4}),
        (20, {"padding": ((-1, 2), (-3, 1)), "kernel": 2}),
        (20, {"padding": ((1, -2), (2, -4)), "kernel": 5}),
        (20, {"padding": ((4, 4), (4, 4)), "stride": 2}),
        (20, {"dilation": 2, "padding": ((2, 2), (2, 2))}),
        (23, {"dilation": 3, "stride": 2, "kernel": 2}),
    ],
)
def test_it_is_the_convolution_of_each_image(side, changes, key):
    how = settings(side, **changes)
    # Whole numbers: every sum is exact in any order.
    x = jnp.round(4 * jax.random.normal(key, (8, side, side + 1, 3)))
    w = jnp.round(4 * jax.random.normal(jax.random.key(1), (*how.kernel, 3, 5)))
    how = how._replace(image=(side, side + 1))
    expected = native(x, w, how)
    for number in (2, 8):
        np.testing.assert_array_equal(side_by_side(x, w, how, number), expected)
    np.testing.assert_array_equal(with_padding(x, w, how), expected)


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_values_and_gradients_are_those_of_lax(padding, key):
    x = jax.random.normal(key, (4, 30, 30, 32))
    w = jax.random.normal(jax.random.key(1), (3, 3, 32, 64))

    def results(convolve):
        def loss(x, w):
            return jnp.sum(convolve(x, w, (1, 1), padding, dimension_numbers=NHWC) ** 2)

        return jax.jit(jax.value_and_grad(loss, (0, 1)))(x, w)

    ours, theirs = results(conv_general_dilated), results(lax.conv_general_dilated)
    for one, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        # Two products in a row, of up to 3,600 places: roundings of 2^-24 in sums of that length.
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5 * float(jnp.abs(other).max()))


@pytest.mark.parametrize(
    ("n", "w", "side", "expected"),
    [
        (8, (3, 3, 64, 64), 56, 4),
        (32, (3, 3, 64, 64), 28, 8),
        (8, (3, 3, 64, 128), 28, 8),  # too few taps for a second core
        (8, (3, 3, 128, 128), 28, 1),  # a block for each core
        (8, (3, 3, 64, 64), 112, 1),  # wide enough
        (1, (3, 3, 64, 64), 56, 1),
        (7, (3, 3, 64, 64), 56, 7),
        (8, (3, 3, 16, 64), 56, 1),
        (2, (3, 3, 64, 64), 14, 1),
        (8, (3, 3, 384, 192), 13, 8),
    ],
)
def test_how_many_images_lie_in_a_row(n, w, side, expected):
    assert images_a_row(n, w, settings(2 * side - 1, stride=2)) == expected


def test_on_a_cpu_xla_gets_images_side_by_side():
    x, w = jnp.ones((4, 61, 61, 32)), jnp.ones((3, 3, 32, 64))
    lowered = jax.jit(
        lambda x, w: conv_general_dilated(x, w, (2, 2), "SAME", dimension_numbers=NHWC)
    ).trace(x, w)
    place = 62  # an image and the column of zeros that it shares
    images = f"(tensor<1x61x{4 * place}x32xf32>, tensor<3x3x32x64xf32>)"
    assert images in lowered.lower(lowering_platforms=("cpu",)).as_text()
    assert images not in lowered.lower(lowering_platforms=("cuda",)).as_text()
