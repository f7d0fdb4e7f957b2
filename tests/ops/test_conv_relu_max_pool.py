"""Convolution, ReLU and pooling as one are the three one after the other, faster."""

import re
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from jax import lax

from dl_jax.ops import conv_relu_max_pool, examples_outermost, relu
from dl_jax.ops.once import once

SHAPES = [  # image, kernel: few channels and many, even sides and odd, three wide and not
    ((28, 28, 1), (3, 3, 1, 8)),
    ((13, 13, 32), (3, 3, 32, 16)),
    ((9, 12, 6), (5, 5, 6, 3)),
    ((8, 7, 20), (2, 3, 20, 4)),
    ((7, 8, 20), (4, 2, 20, 4)),
    ((4, 5, 30), (3, 3, 30, 2)),
    ((6, 6, 3), (1, 1, 3, 5)),
]


def one_by_one(x, w, b):
    z = lax.conv_general_dilated(x, w, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))
    return nn.max_pool(relu(z + b[None, None, None, :]), (2, 2), (2, 2))


def inputs(image, kernel, n=17, dtype="float64", seed=0):
    rng = np.random.default_rng(seed)
    shapes = ((n, *image), kernel, kernel[3:])
    return [jnp.asarray(rng.uniform(-1, 1, shape), dtype) for shape in shapes]


def gradients(f):
    def energy(x, w, b):
        y = f(x, w, b)
        return jnp.sum(jnp.sin(y)), y

    return jax.jit(jax.grad(energy, (0, 1, 2), has_aux=True))


@pytest.mark.parametrize(("image", "kernel"), SHAPES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_equals_the_three_one_by_one(image, kernel, dtype):
    with jax.enable_x64(True):
        exact = inputs(image, kernel)
        ours, y = gradients(conv_relu_max_pool)(*(a.astype(dtype) for a in exact))
        theirs, expected = gradients(one_by_one)(*exact)
        assert y.dtype == dtype
        # A sum of L products of numbers up to 1, whose rounding Winograd's sums multiply by 3.5^2
        # at most, at a corner of the gradient by the images.
        unit, longest = (
            float(jnp.finfo(dtype).eps),
            max(np.prod(kernel[:3]), 17 * image[0] * image[1]),
        )
        for got, wanted in zip((y, *ours), (expected, *theirs), strict=True):
            np.testing.assert_allclose(got, wanted, atol=3.5**2 * longest * unit, rtol=0)


@pytest.mark.parametrize("image", [(4, 4, 3), (5, 4, 3), (6, 7, 3), (9, 8, 3)])
def test_winograds_algorithm_is_the_same_function(image):
    kernel = (3, 3, 3, 4)
    with jax.enable_x64(True):
        exact = inputs(image, kernel)
        ours, y = gradients(partial(conv_relu_max_pool, winograd=True))(*exact)
        theirs, expected = gradients(one_by_one)(*exact)
        for got, wanted in zip((y, *ours), (expected, *theirs), strict=True):
            # Sums of at most 17 x 9 x 8 products, rounded 3.5^2 times as much.
            np.testing.assert_allclose(got, wanted, atol=3.5**2 * 17 * 72 * 2**-52, rtol=0)


def test_winograd_rounds_no_more_than_three_times_as_much_as_the_windows():
    with jax.enable_x64(True):
        exact = inputs((13, 13, 32), (3, 3, 32, 64), n=64)
        rounded = [a.astype(jnp.float32) for a in exact]
        wide, y = gradients(one_by_one)(*(a.astype(jnp.float64) for a in rounded))
        expected = (y, *wide[:2])  # the bias has no part in it

        def errors(f):
            gradient, y = gradients(f)(*rounded)
            both = zip((y, *gradient[:2]), expected, strict=True)
            return [float(jnp.sqrt(jnp.mean((got - wanted) ** 2))) for got, wanted in both]

        by_tiles, by_windows = errors(conv_relu_max_pool), errors(one_by_one)
    assert all(0 < ours < 3 * theirs for ours, theirs in zip(by_tiles, by_windows, strict=True))


@pytest.fixture
def small():
    return inputs((6, 7, 2), (3, 3, 2, 3), n=16, dtype="float32")


@pytest.mark.parametrize("winograd", [False, True])
def test_forward_mode_and_second_derivatives(small, winograd):
    ours = partial(conv_relu_max_pool, winograd=winograd)

    def hessian_vector(f):
        grad = jax.grad(lambda x, w, b: jnp.sum(jnp.sin(f(x, w, b))), (0, 1, 2))
        return jax.jvp(grad, small, [jnp.cos(a) for a in small])[1]

    for got, wanted in zip(*map(hessian_vector, (ours, one_by_one)), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("axes", [(0, None, None), (0, 0, 0), (None, 0, 0)])
def test_under_vmap_scan_and_jit(axes, small):
    stacked = [
        jnp.stack([a, 2 * a]) if axis == 0 else a for a, axis in zip(small, axes, strict=True)
    ]

    def together(f):
        mapped = jax.vmap(gradients(f), axes)(*stacked)
        _, scanned = lax.scan(lambda c, x: (c, f(x, *small[1:])), 0, jnp.stack([small[0]] * 2))
        return mapped, scanned

    ours, theirs = (jax.jit(lambda f=f: together(f))() for f in (conv_relu_max_pool, one_by_one))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4), ours, theirs)


def test_the_first_of_equal_values_gets_the_gradient():
    x, w, b = jnp.ones((16, 2, 2, 1)), jnp.ones((1, 1, 1, 1)), jnp.zeros(1)
    d_x = jax.grad(lambda x: conv_relu_max_pool(x, w, b).sum())(x)
    assert d_x[0, :, :, 0].tolist() == [[1, 0], [0, 0]]


def test_a_neuron_that_is_off_learns_nothing(small):
    x, w, _ = small
    ours, y = gradients(conv_relu_max_pool)(x, w, jnp.full(3, -1000.0))
    assert not y.any()
    assert all(not d.any() for d in ours)


def test_what_is_no_number_passes_on(small):
    x, w, b = small
    y = conv_relu_max_pool(x.at[0, 0, 0, 0].set(jnp.nan), w, b)
    assert jnp.isnan(y[0, 0, 0]).all()
    assert not jnp.isnan(y[1:]).any()


def test_lowers_to_the_three_operations_on_an_accelerator(small):
    program = gradients(conv_relu_max_pool).trace(*small)
    text = {p: program.lower(lowering_platforms=(p,)).as_text() for p in ("cpu", "cuda", "tpu")}
    assert "stablehlo.convolution" not in text["cpu"]
    for platform in ("cuda", "tpu"):
        assert "stablehlo.convolution" in text[platform]
        assert "dot_general" not in text[platform]
    assert "reduce_window" in text["tpu"]


def test_values_places_and_gradient_are_computed_once(small):
    """XLA keeps the calls that hold it back, one for each."""
    optimised: dict[str, Any] = {"xla_backend_optimization_level": 3}
    if jax.__version_info__ < (0, 11):  # as in conftest
        optimised["xla_cpu_use_fusion_emitters"] = True
    lowered = gradients(conv_relu_max_pool).lower(*small)
    program = lowered.compile(compiler_options=optimised).as_text() or ""
    arrays = re.findall(r"= (\w+)\[3,2,2,16\]\S* call\(", program)
    assert sorted(arrays) == ["f32", "f32", "u8"]


def test_a_few_examples_are_taken_one_operation_after_the_other(small):
    x, w, b = small
    np.testing.assert_array_equal(conv_relu_max_pool(x[:3], w, b), one_by_one(x[:3], w, b))


def test_an_image_too_small_for_a_tile(small):
    x, w, b = small
    with pytest.raises(
        ValueError, match="at least 4x4 for a kernel 3x3 and a tile of 2x2, got 3x7"
    ):
        conv_relu_max_pool(x[:, :3], w, b)


def test_winograds_algorithm_can_be_chosen(small):
    x, w, b = small
    default, chosen, refused = (
        conv_relu_max_pool(x, w, b, winograd=c) for c in (None, True, False)
    )
    np.testing.assert_array_equal(default, refused)  # too few channels for it
    assert (default != chosen).any()
    # 18 products of numbers up to 1, rounded at most (8/3)^2 times as much.
    np.testing.assert_allclose(chosen, default, atol=(8 / 3) ** 2 * 18 * 2**-23)
    for other, size in ((w[:, :2], "3x2"), (w[:2], "2x3")):
        with pytest.raises(ValueError, match=f"needs a kernel 3x3, got {size}"):
            conv_relu_max_pool(x, other, b, winograd=True)


def test_no_channels_leave_the_bias():
    y = conv_relu_max_pool(jnp.ones((20, 6, 6, 0)), jnp.ones((3, 3, 0, 2)), jnp.array([1.0, -1.0]))
    np.testing.assert_array_equal(y, np.broadcast_to([1.0, 0.0], (20, 2, 2, 2)))


def test_what_is_held_once_is_not_merged_into_its_uses(key):
    def sines(hold):
        def two_uses(x):
            y = hold(jnp.sin(x))
            return y[1:] + y[:-1], y.sum(0)

        optimised: dict[str, Any] = {"xla_backend_optimization_level": 3}
        program = jax.jit(two_uses).lower(jax.random.normal(key, (64, 64)))
        return (program.compile(compiler_options=optimised).as_text() or "").count(" sine(")

    assert sines(once) == 1
    assert sines(lambda y: y) > 1  # so that there is something to hold back


@pytest.mark.parametrize(
    ("n", "dtype", "turns"), [(16, "float32", 4), (16, "bfloat16", 0), (3, "float32", 0)]
)
def test_the_last_outputs_are_turned_in_two_steps_and_stay_as_they_are(small, n, dtype, turns):
    y = conv_relu_max_pool(*small)[:n].astype(dtype)
    turned = jax.jit(lambda y, d_y: (examples_outermost(y), jax.vjp(examples_outermost, y)[1](d_y)))
    for got, wanted in zip(jax.tree.leaves(turned(y, 2 * y)), (y, 2 * y), strict=True):
        np.testing.assert_array_equal(got, wanted)
    program = turned.lower(y, 2 * y).as_text()
    assert len(re.findall(r"call @_unchanged\S*\(.*inlineable", program)) == turns


def test_once_is_the_identity_in_all_that_it_does(key):
    x = jax.random.normal(key, (3, 4)).at[0, 0].set(jnp.nan)
    for a in (x, jnp.zeros((0, 2)), jnp.full((2, 2), 255, jnp.uint8), jnp.arange(3)):
        np.testing.assert_array_equal(jax.jit(once)(a), a)
        np.testing.assert_array_equal(jax.jit(jax.vmap(once))(a), a)
    y, d_y = jax.jvp(jax.jit(once), (x,), (2 * x,))
    np.testing.assert_array_equal(d_y, 2 * y)
    np.testing.assert_array_equal(jax.jit(jax.vjp(once, x)[1])(3 * x)[0], 3 * x)
