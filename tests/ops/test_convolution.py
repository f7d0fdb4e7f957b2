"""`conv_general_dilated` is `jax.lax`'s, in value and in every derivative."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax

from dl_jax.ops import conv_general_dilated
from dl_jax.ops.patches import Windows
from dl_jax.ops.window_blocks import blocks_of

NHWC = ("NHWC", "HWIO", "NHWC")
LAYOUTS = [NHWC, ("NCHW", "OIHW", "NCHW"), ("HWNC", "OHWI", "NHWC")]


def test_the_slides_image_and_kernel():
    image = jnp.array(
        [[1, 1, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 1, 1, 1], [0, 0, 1, 1, 0], [0, 1, 1, 0, 0]],
        jnp.float32,
    )
    kernel = jnp.array([[1, 0, 1], [0, 1, 0], [1, 0, 1]], jnp.float32)
    y = conv_general_dilated(
        image[None, :, :, None], kernel[:, :, None, None], (1, 1), "VALID", dimension_numbers=NHWC
    )
    assert y[0, :, :, 0].tolist() == [[4, 3, 4], [2, 4, 3], [2, 3, 4]]


@st.composite
def convolutions(draw):
    """Shapes and arguments of a convolution whose output is not empty."""
    sides = st.integers(1, 3)
    kernel = draw(st.tuples(sides, sides))
    dilations = st.tuples(st.integers(1, 2), st.integers(1, 2))
    dilation, spread = draw(dilations), draw(st.sampled_from([(1, 1), (1, 1), (2, 1)]))
    extent = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    image = [e + 1 + draw(st.integers(0, 5)) for e in extent]
    pads = st.tuples(st.integers(-1, 2), st.integers(0, 2))
    padding = draw(st.sampled_from(["SAME", "VALID"]) | st.tuples(pads, pads))
    if spread != (1, 1) and isinstance(padding, str):
        padding = ((0, 1), (1, 0))  # lax wants numbers there
    strides = draw(st.tuples(sides, sides))
    # Gradients by the kernel go both ways, by the number of images and of channels.
    n, c, f = draw(st.integers(1, 3)), draw(st.sampled_from([1, 3, 40])), draw(st.integers(1, 3))
    groups = draw(st.sampled_from([1, 1, 1, c]))
    layout = draw(st.sampled_from(LAYOUTS))
    arguments = {
        "window_strides": strides,
        "padding": padding,
        "lhs_dilation": spread,
        "rhs_dilation": dilation,
        "dimension_numbers": layout,
        "feature_group_count": groups,
    }
    x = {"N": n, "H": image[0], "W": image[1], "C": c}
    w = {"H": kernel[0], "W": kernel[1], "I": c // groups, "O": f * groups}
    return [x[axis] for axis in layout[0]], [w[axis] for axis in layout[1]], arguments


# Each value is a sum of at most so many products: taps and channels, or positions and examples.
LONGEST_SUM = max(3 * 3 * 40, 3 * 14 * 14)


@settings(max_examples=40, deadline=None)
@given(convolutions(), st.integers(0, 2**31 - 1), st.sampled_from(["float32", "float64"]))
def test_equals_lax_in_value_and_gradients(case, seed, dtype):
    x_shape, w_shape, arguments = case
    rng = np.random.default_rng(seed)
    with jax.enable_x64(dtype == "float64"):
        x = jnp.asarray(rng.uniform(-1, 1, x_shape), dtype)
        w = jnp.asarray(rng.uniform(-1, 1, w_shape), dtype)

        def energy(convolve):
            y, pull_back = jax.vjp(lambda x, w: convolve(x, w, **arguments), x, w)
            return y, *pull_back(jnp.cos(y))

        both = zip(energy(conv_general_dilated), energy(lax.conv_general_dilated), strict=True)
        for ours, lax_s in both:
            assert ours.dtype == lax_s.dtype
            # Terms of at most 1, added in two orders.
            tolerance = 2 * LONGEST_SUM * float(jnp.finfo(dtype).eps)
            np.testing.assert_allclose(ours, lax_s, rtol=0, atol=tolerance * np.sqrt(LONGEST_SUM))


@pytest.mark.parametrize("narrow", [jnp.bfloat16, jnp.float16])
@pytest.mark.parametrize(("channels", "groups"), [(3, 1), (40, 1), (6, 6), (6, 2)])
def test_narrow_numbers_equal_lax_to_their_last_digit(narrow, channels, groups, key):
    x = jax.random.normal(key, (4, 7, 7, channels), narrow)
    w = jax.random.normal(key, (3, 3, channels // groups, 6), narrow)

    def energy(convolve, x, w):
        f = lambda x, w: convolve(  # noqa: E731
            x, w, (2, 1), "SAME", dimension_numbers=NHWC, feature_group_count=groups
        )
        y, pull_back = jax.vjp(f, x, w)
        return y, *pull_back(y)

    wide = energy(lax.conv_general_dilated, x.astype(jnp.float32), w.astype(jnp.float32))
    for ours, exact in zip(energy(conv_general_dilated, x, w), wide, strict=True):
        assert ours.dtype == narrow
        # Sums in float32; what is rounded is y, then each gradient by it, by half a unit each.
        scale = float(jnp.abs(exact).max())
        unit = float(jnp.finfo(narrow).eps)
        np.testing.assert_allclose(ours.astype(jnp.float32), exact, atol=2 * unit * scale)


@pytest.fixture
def small(key):
    x = jax.random.normal(key, (2, 6, 5, 2))
    w = jax.random.normal(key, (3, 2, 2, 3))
    return x, w


def _both(function):
    """The function with this project's convolution, and with lax's."""
    return [
        function(lambda x, w, c=c: c(x, w, (1, 2), "SAME", dimension_numbers=NHWC))
        for c in (conv_general_dilated, lax.conv_general_dilated)
    ]


def test_forward_mode_and_second_derivatives(small):
    x, w = small

    def hessian_vector(convolve):
        def energy(x, w):
            return jnp.sum(jnp.sin(convolve(x, w)))

        return jax.jvp(jax.grad(energy, (0, 1)), (x, w), (w_like(x), w_like(w)))[1]

    def w_like(a):
        return jnp.cos(jnp.arange(a.size, dtype=a.dtype).reshape(a.shape))

    for ours, lax_s in zip(*_both(hessian_vector), strict=True):
        np.testing.assert_allclose(ours, lax_s, rtol=1e-4, atol=1e-4)


def test_under_vmap_scan_and_jit(small):
    x, w = small
    xs, ws = jnp.stack([x, 2 * x]), jnp.stack([w, w + 1])

    def together(convolve):
        mapped = jax.vmap(convolve)(xs, ws)
        _, scanned = lax.scan(lambda c, xw: (c, convolve(*xw)), 0, (xs, ws))
        shared = jax.vmap(jax.grad(lambda x, w: convolve(x, w).sum()), (0, None))(xs, w)
        return mapped, scanned, shared

    for ours, lax_s in zip(*_both(lambda c: jax.jit(lambda: together(c))()), strict=True):
        np.testing.assert_allclose(ours, lax_s, rtol=1e-5, atol=1e-5)


def test_bfloat16_with_float32_sums(key):
    x = jax.random.normal(key, (1, 5, 5, 2), jnp.bfloat16)
    w = jax.random.normal(key, (3, 3, 2, 2), jnp.bfloat16)
    y = conv_general_dilated(
        x, w, (1, 1), "VALID", dimension_numbers=NHWC, preferred_element_type=jnp.float32
    )
    assert y.dtype == jnp.float32


def test_a_wrong_shape_is_lax_s_error(key):
    x, w = jnp.zeros((1, 5, 5, 2)), jnp.zeros((3, 3, 3, 4))
    with pytest.raises(ValueError, match="feature dimension"):
        conv_general_dilated(x, w, (1, 1), "VALID", dimension_numbers=NHWC)


def _lowered(function, *arguments):
    """The program for each platform, as text."""
    traced = jax.jit(function).trace(*arguments)
    return {p: traced.lower(lowering_platforms=(p,)).as_text() for p in ("cpu", "cuda", "tpu")}


def test_lowers_to_the_native_convolution_on_an_accelerator(small):
    def energy(x, w):
        y = conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=NHWC)
        return jnp.sum(y**2)

    text = _lowered(jax.grad(energy, (0, 1)), *small)
    # The gradients by 3 features times 2 * 6 * 5 windows of 3 * 2 taps and 2 channels.
    windows = "tensor<60x3xf32>, tensor<60x12xf32>"
    assert windows in text["cpu"]
    assert text["cpu"].count("stablehlo.convolution") == 2
    for platform in ("cuda", "tpu"):
        assert text[platform].count("stablehlo.convolution") == 3
        assert windows not in text[platform]


@pytest.mark.parametrize(
    ("stride", "padding", "on_cpu", "elsewhere", "shape"),
    [
        # A row more than is needed, for which XLA takes another library.
        (1, "SAME", "[[1, 2], [1, 1]]", "[[1, 1], [1, 1]]", (1, 13, 11, 16)),
        # A column of padding more, without which it is slow at a stride.
        (2, "VALID", "[[0, 0], [0, 1]]", "[[0, 0], [0, 0]]", (1, 6, 5, 8)),
    ],
)
def test_on_a_cpu_xla_is_asked_for_more(stride, padding, on_cpu, elsewhere, shape):
    x, w = jnp.ones((1, 13, 11, 32)), jnp.ones((3, 3, 32, shape[3]))

    def convolve(x, w):
        return conv_general_dilated(x, w, (stride, stride), padding, dimension_numbers=NHWC)

    for platform, text in _lowered(convolve, x, w).items():
        (pads,) = re.findall(r"pad = (\[\[.*?\]\])", text) or ["[[0, 0], [0, 0]]"]
        assert pads == (on_cpu if platform == "cpu" else elsewhere)
    assert convolve(x, w).shape == shape


def test_a_gradient_by_images_in_float64_is_a_product():
    with jax.enable_x64(True):
        x, w = jnp.ones((2, 10, 10, 4), jnp.float64), jnp.ones((3, 3, 4, 8), jnp.float64)

        def energy(x):
            y = conv_general_dilated(x, w, (1, 1), "VALID", dimension_numbers=NHWC)
            return jnp.sum(y**2)

        text = _lowered(jax.grad(energy), x)
    # All 2 * 10 * 10 windows of the padded gradient, of 9 taps and 8 features, to 4 channels.
    product = "tensor<200x72xf64>, tensor<72x4xf64>"
    assert product in text["cpu"]
    assert product not in text["cuda"]


def test_value_and_gradients_under_shard_map(small):
    x, w = small
    mesh = jax.make_mesh((1,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    data, everywhere = jax.sharding.PartitionSpec("data"), jax.sharding.PartitionSpec()

    def value_and_gradients(x, w):
        def energy(x, w):
            y = conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=NHWC)
            return jnp.sum(y**2), y

        grads, y = jax.grad(energy, (0, 1), has_aux=True)(x, w)
        return y, *grads

    mapped = jax.shard_map(
        value_and_gradients,
        mesh=mesh,
        in_specs=(data, everywhere),
        out_specs=(data, data, everywhere),
    )
    for ours, alone in zip(mapped(x, w), value_and_gradients(x, w), strict=True):
        np.testing.assert_allclose(ours, alone, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("size", [7, 11])
def test_a_first_layer_of_large_kernels(size, key):
    """Few channels under many taps, where the gradient by the kernel is a product over windows."""
    x_key, w_key = jax.random.split(key)
    x = jax.random.randint(x_key, (2, 23, 20, 3), -4, 5).astype(jnp.float32)
    w = jax.random.randint(w_key, (size, size, 3, 4), -4, 5).astype(jnp.float32)

    def results(convolve):
        def f(x, w):
            return convolve(x, w, (2, 3), "SAME", dimension_numbers=NHWC)

        y, pull_back = jax.vjp(f, x, w)
        return y, *pull_back(jnp.round(y / 8) % 5)

    # Whole numbers: every sum is exact in any order.
    for ours, theirs in zip(
        results(conv_general_dilated), results(lax.conv_general_dilated), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_the_default_precision_is_that_of_the_call(small):
    @jax.jit
    def highest(x, w):
        with jax.default_matmul_precision("highest"):
            return conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=NHWC)

    text = highest.trace(*small).lower(lowering_platforms=("cuda",)).as_text()
    assert "precision HIGHEST" in text


def test_without_jit(small):
    def convolve(x, w):
        return conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=NHWC)

    with jax.disable_jit():
        y = convolve(*small)
    np.testing.assert_allclose(y, jax.jit(convolve)(*small), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_the_input_gradient_of_narrow_numbers_adds_up_in_float32(dtype):
    x, w = jnp.ones((1, 6, 6, 1), dtype), jnp.full((5, 5, 1, 1), 1 + 2**-7, dtype)
    pull_back = jax.vjp(
        lambda x: conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=NHWC), x
    )[1]
    (dx,) = pull_back(jnp.ones((1, 6, 6, 1), dtype))
    # An inner pixel is under all 25 taps; each partial sum in the narrow type would be rounded.
    assert float(dx[0, 2, 2, 0]) == float(jnp.asarray(25 * (1 + 2**-7), dtype))


@pytest.mark.parametrize("padding", [((0, 0), (0, 0)), ((1, 2), (2, 0)), ((-1, 0), (0, -2))])
def test_a_kernel_of_one_pixel_at_a_stride(padding, key):
    x, w = jax.random.uniform(key, (2, 7, 8, 3)), jax.random.uniform(key, (1, 1, 3, 4))

    def both(convolution):
        def loss(x, w):
            y = convolution(x, w, (2, 3), padding, dimension_numbers=NHWC)
            return jnp.sum(y**2), y

        return jax.value_and_grad(loss, (0, 1), has_aux=True)(x, w)

    (_, y), grads = both(conv_general_dilated)
    (_, expected), expected_grads = both(lax.conv_general_dilated)
    # Sums of at most 2 * 4 * 4 positions of numbers up to 6 round by 32 times 6 * 2^-24.
    for ours, laxs in zip((y, *grads), (expected, *expected_grads), strict=True):
        np.testing.assert_allclose(ours, laxs, atol=32 * 6 * 2**-24)


@pytest.mark.parametrize("images", [1, 7, 64])
def test_windows_in_blocks_of_rows_or_of_images(images, key, monkeypatch):
    monkeypatch.setattr("dl_jax.ops.convolution_cpu._MANY_TAPS", 0)
    monkeypatch.setattr("dl_jax.ops.window_blocks._BLOCK_BYTES", 50_000)
    x = jax.random.normal(key, (images, 11, 9, 32))  # an image has 4 * 11 * 9 * 9 * 32 = 114,048
    w = jax.random.normal(key, (3, 3, 32, 16))

    def energy(convolve):
        def f(x, w):
            return convolve(x, w, (2, 1), ((1, 2), (0, 1)), dimension_numbers=NHWC)

        y, pull_back = jax.vjp(f, x, w)
        return y, *pull_back(y)

    for ours, lax_s in zip(
        *map(energy, (conv_general_dilated, lax.conv_general_dilated)), strict=True
    ):
        scale = float(jnp.abs(lax_s).max())
        np.testing.assert_allclose(ours, lax_s, atol=scale * 2**-23 * images * 11 * 9 * 32)


@pytest.mark.parametrize(
    ("image", "kernel", "dilation", "by_windows"),
    [
        (8, (3, 3, 384, 12), 1, True),
        (8, (3, 3, 384, 11), 1, False),  # a product with few features
        (8, (3, 3, 256, 16), 1, False),  # of few taps
        (4, (5, 5, 64, 64), 1, True),  # larger than the images
        (7, (5, 5, 64, 64), 2, False),
        (224, (11, 11, 3, 96), 1, False),
    ],
)
def test_many_taps_at_a_stride_are_a_product_of_windows(image, kernel, dilation, by_windows):
    x, w = (jax.ShapeDtypeStruct(s, jnp.float32) for s in ((1, image, image, kernel[2]), kernel))

    def convolve(x, w):
        spread = (dilation, dilation)
        return conv_general_dilated(
            x, w, (2, 2), "SAME", rhs_dilation=spread, dimension_numbers=NHWC
        )

    program = jax.jit(convolve).lower(x, w).as_text()
    assert ("stablehlo.dot_general" in program) == by_windows


@pytest.mark.parametrize(("images", "size"), [(8, 2), (9, 3), (7, 3)])
def test_blocks_of_images_leave_none_empty_where_they_need_not(images, size):
    """Three images fit into a block; a third of eight would be one and a block with zeros."""
    windows = Windows((58, 28), (3, 1), (1, 1), (1, 1))
    blocks = blocks_of((images, 58, 28, 64), windows)
    assert (blocks.images, blocks.counts) == (size, (-(-images // size), 1))


def test_a_kernel_of_one_pixel_is_a_product_of_arrays_as_they_lie():
    x = jax.ShapeDtypeStruct((8, 28, 28, 256), jnp.float32)
    w = jax.ShapeDtypeStruct((1, 1, 256, 64), jnp.float32)

    def both(x, w):
        layout = ("NHWC", "HWIO", "NHWC")
        y, back = jax.vjp(
            lambda x: conv_general_dilated(x, w, (1, 1), "VALID", dimension_numbers=layout), x
        )
        return back(y)

    program = jax.jit(both).lower(x, w).as_text()
    assert program.count("stablehlo.dot_general") == 2
    for moved in ("convolution", "transpose", "dynamic_slice", "while"):
        assert f"stablehlo.{moved}" not in program


def test_empty_channels_are_zeros():
    y = conv_general_dilated(
        jnp.ones((1, 4, 4, 0)), jnp.ones((3, 3, 0, 2)), (1, 1), "VALID", dimension_numbers=NHWC
    )
    assert y.tolist() == jnp.zeros((1, 2, 2, 2)).tolist()
