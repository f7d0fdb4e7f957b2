"""Pooling is Flax's, and the gradient of ties is lax's."""

import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from dl_jax.ops import avg_pool, max_pool
from dl_jax.ops.pooling import largest_of_tiles

SLIDE = jnp.array(
    [[3, 3, 2, 1, 0], [0, 0, 1, 3, 1], [3, 1, 2, 2, 3], [2, 0, 0, 2, 2], [2, 0, 0, 0, 1]],
    jnp.float32,
)[None, :, :, None]


def test_the_slides_example():
    y = max_pool(SLIDE, (3, 3))
    assert y[0, :, :, 0].tolist() == [[3, 3, 3], [3, 3, 3], [3, 2, 3]]


def test_average_of_the_slides_first_window():
    assert float(avg_pool(SLIDE, (3, 3))[0, 0, 0, 0]) == pytest.approx(15 / 9)


@pytest.mark.parametrize(
    ("window", "strides"),
    [((2, 2), (2, 2)), ((2, 3), (2, 3)), ((1, 1), (1, 1)), ((3, 3), (2, 2)), ((2, 2), (3, 3))],
)
@pytest.mark.parametrize("padding", ["VALID", "SAME", ((1, 0), (0, 1))])
@pytest.mark.parametrize(("ours", "flaxs"), [(max_pool, nn.max_pool), (avg_pool, nn.avg_pool)])
def test_equals_flax_in_value_and_gradient(window, strides, padding, ours, flaxs, key):
    # Whole numbers below 4: most windows hold their largest value more than once.
    x = jax.random.randint(key, (2, 7, 8, 3), 0, 4).astype(jnp.float32)

    def value_and_gradient(pool):
        y, pull_back = jax.vjp(lambda x: pool(x, window, strides, padding), x)
        return y, pull_back(jnp.arange(y.size, dtype=jnp.float32).reshape(y.shape))[0]

    (y, dx), (flax_y, flax_dx) = value_and_gradient(ours), value_and_gradient(flaxs)
    np.testing.assert_allclose(y, flax_y, rtol=1e-6)
    np.testing.assert_allclose(dx, flax_dx, rtol=1e-6)


def test_the_first_of_equal_values_gets_the_gradient():
    dx = jax.grad(lambda x: max_pool(x, (2, 2), (2, 2)).sum())(jnp.ones((1, 2, 2, 1)))
    assert dx[0, :, :, 0].tolist() == [[1, 0], [0, 0]]


def test_forward_mode_second_derivatives_and_vmap(key):
    x = jax.random.normal(key, (3, 1, 4, 4, 2))

    def energy(pool):
        def f(x):
            return jnp.sum(jnp.sin(pool(x, (2, 2), (2, 2))))

        return jax.vmap(lambda x: jax.jvp(jax.grad(f), (x,), (jnp.cos(x),))[1])(x)

    np.testing.assert_allclose(energy(max_pool), energy(nn.max_pool), rtol=1e-5)


def test_a_wrong_window_says_what_was_expected():
    with pytest.raises(ValueError, match=r"a window \(height, width\), got .* window \(2,\)"):
        max_pool(SLIDE, (2,))


def test_a_value_that_is_not_a_number_passes_on_and_gets_the_gradient():
    x = jnp.array([[1.0, 2.0], [jnp.nan, 3.0]])[None, :, :, None]
    y, pull_back = jax.vjp(lambda x: max_pool(x, (2, 2), (2, 2)), x)
    assert jnp.isnan(y).all()
    assert pull_back(jnp.ones_like(y))[0][0, :, :, 0].tolist() == [[0, 0], [1, 0]]


def test_windows_larger_than_the_image_are_none():
    for pool in (max_pool, avg_pool):
        assert pool(jnp.ones((1, 1, 1, 1)), (2, 2), (2, 2)).shape == (1, 0, 0, 1)


def test_the_mean_may_leave_padding_out():
    y = avg_pool(jnp.ones((1, 3, 3, 1)), (2, 2), (2, 2), "SAME", count_include_pad=False)
    np.testing.assert_array_equal(y, jnp.ones((1, 2, 2, 1)))


@pytest.mark.parametrize(
    ("strides", "padding"), [((2,), "SAME"), ((2, 2), ((0, 1),)), ((1, 1, 1), "VALID")]
)
def test_strides_or_padding_of_another_length(strides, padding):
    with pytest.raises(ValueError, match="expected strides"):
        max_pool(jnp.ones((1, 4, 4, 1)), (2, 2), strides, padding)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
@pytest.mark.parametrize(("ours", "flaxs"), [(max_pool, nn.max_pool), (avg_pool, nn.avg_pool)])
def test_other_precisions_and_accelerators(ours, flaxs, dtype, key):
    with jax.enable_x64(True):
        # Whole numbers, whose sums and quarters all of these hold.
        x = jax.random.randint(key, (2, 6, 6, 3), -8, 8).astype(dtype)
        expected = flaxs(x, (2, 2), (2, 2))
        got = jax.jit(lambda x: ours(x, (2, 2), (2, 2)))
        assert got(x).dtype == dtype
        np.testing.assert_array_equal(got(x).astype("float32"), expected.astype("float32"))
        for platform in ("cuda", "tpu"):
            text = got.trace(x).lower(lowering_platforms=(platform,)).as_text()
            assert ("reduce_window" in text) == (ours is avg_pool or platform == "tpu")


@pytest.mark.parametrize("window", [(2, 2), (2, 3), (3, 1)])
def test_windows_that_touch_are_tiles_to_a_gpu(window, key):
    # Whole numbers below 4: most windows hold their largest value more than once.
    x = jax.random.randint(key, (2, 7, 8, 3), 0, 4).astype(jnp.float32).at[0, 0, 0].set(jnp.nan)

    def by_tiles(x):
        return largest_of_tiles(x, (1, *window, 1))

    y, pull_back = jax.vjp(by_tiles, x)
    expected, expected_back = jax.vjp(lambda x: max_pool(x, window, window), x)
    d_y = jax.random.normal(key, y.shape)
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(*pull_back(d_y), *expected_back(d_y))
    np.testing.assert_array_equal(jax.jvp(by_tiles, (x,), (x,))[1], expected)


def test_windows_that_do_not_touch_are_xla_s_on_a_gpu():
    x = jnp.ones((1, 7, 7, 2))
    for window, strides, padding in (((3, 3), (2, 2), "VALID"), ((2, 2), (2, 2), "SAME")):
        pool = jax.jit(lambda x, args=(window, strides, padding): max_pool(x, *args))
        assert "reduce_window" in pool.trace(x).lower(lowering_platforms=("cuda",)).as_text()


def test_the_taps_of_a_window_are_compared_once():
    """A call holds XLA back from comparing all of them again for the gradient of each."""
    x = jax.ShapeDtypeStruct((2, 8, 8, 4), jnp.float32)
    gradient = jax.grad(lambda x: jnp.sum(max_pool(x, (3, 3), (2, 2)) ** 2))
    options: dict[str, Any] = {"xla_backend_optimization_level": 3}
    program = jax.jit(gradient).lower(x).compile(compiler_options=options).as_text() or ""
    assert re.findall(r"= (\w+)\[\d[^\]]*\]\S* call\(.*inlineable", program) == ["u8"]
