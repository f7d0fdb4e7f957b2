"""Layers, convolution and pooling: values that a pencil gets, too."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dl_jax import backprop as bp

IMAGE = jnp.array(
    [[1, 1, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 1, 1, 1], [0, 0, 1, 1, 0], [0, 1, 1, 0, 0]],
    jnp.float32,
)
KERNEL = jnp.array([[1, 0, 1], [0, 1, 0], [1, 0, 1]], jnp.float32)
POOLED = jnp.array(
    [[3, 3, 2, 1, 0], [0, 0, 1, 3, 1], [3, 1, 2, 2, 3], [2, 0, 0, 2, 2], [2, 0, 0, 0, 1]],
    jnp.float32,
)


def images(values):
    """One image of one channel; a list is a single row of it."""
    return jnp.atleast_2d(jnp.asarray(values, jnp.float32))[None, :, :, None]


def plane(x):
    return x[0, :, :, 0].tolist()


def pooling(window, strides, padding: str | tuple = "VALID") -> dict[str, Any]:
    return {"window": window, "strides": strides, "padding": padding}


def test_a_dense_layer_and_its_three_gradients():
    x, w = jnp.array([[1.0, 2.0], [0.0, 3.0]]), jnp.array([[1.0, 0.0, 2.0], [0.0, 1.0, 3.0]])
    z, way = bp.dense_fwd(x, w, jnp.array([1.0, 1.0, 1.0]))
    assert z.tolist() == [[2, 3, 9], [1, 4, 10]]
    d_x, d_w, d_b = bp.dense_bwd(way, jnp.array([[1.0, 10.0, 100.0], [2.0, 0.0, 0.0]]))
    assert d_x.tolist() == [[201, 310], [2, 0]]
    assert d_w.tolist() == [[1, 10, 100], [2 + 6, 20, 200]]
    assert d_b.tolist() == [3, 10, 100]


def test_the_lectures_recursion_through_a_layer_of_sigmoids():
    # y (1 - y) = [1/4, 3/16], and so dE/dz = [1, 3].
    d_y_i, d_w = bp.layer_recursion(
        jnp.array([[1.0, 2.0]]), jnp.array([[3.0]]), jnp.array([[1 / 2, 1 / 4]]),
        jnp.array([[4.0, 16.0]]),
    )  # fmt: skip
    assert d_y_i.tolist() == [[1 * 1 + 2 * 3]]
    assert d_w.tolist() == [[[3 * 1, 3 * 3]]]


def test_the_update_of_a_batch_is_minus_epsilon_times_the_sum():
    gradients = jnp.array([[[1.0, 2.0]], [[3.0, 10.0]]])
    assert bp.batch_update(gradients, 0.5).tolist() == [[-2, -6]]


def test_flattening_moves_every_value_back():
    x = jnp.arange(12.0).reshape(2, 2, 3)
    y, way = bp.flatten_fwd(x)
    assert y.tolist() == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]]
    assert (bp.flatten_bwd(way, y)[0] == x).all()


@pytest.mark.parametrize(("rate", "scale"), [(0.5, 2), (0.25, 4 / 3)])
def test_dropout_keeps_one_mask_for_both_directions(rate, scale, key):
    x = jnp.arange(1.0, 65.0)
    y, way = bp.dropout_fwd(x, key, rate=rate)
    d_x, d_key = bp.dropout_bwd(way, jnp.ones(64))
    assert set(np.unique(d_x)) == {0, np.float32(scale)}
    np.testing.assert_allclose(y, x * d_x, rtol=1e-6)
    assert d_key is None


def test_dropout_of_nothing_and_of_everything(key):
    x = jnp.arange(4.0)
    y, way = bp.dropout_fwd(x, key, rate=0.0)
    assert (y == x).all()
    assert (bp.dropout_bwd(way, x)[0] == x).all()
    with pytest.raises(ValueError, match=r"rate in \[0, 1\), got 1"):
        bp.dropout_fwd(x, key, rate=1.0)


def test_each_word_learns_from_the_texts_that_contain_it():
    w = jnp.array([[9.0], [1.0], [10.0], [100.0]])
    y, way = bp.bag_of_words_fwd(jnp.array([[1, 3, 0], [3, 2, 7]]), w)  # 7 is in no vocabulary
    assert y.tolist() == [[101], [110]]
    d_ids, d_w = bp.bag_of_words_bwd(way, jnp.array([[1.0], [10.0]]))
    assert d_ids is None
    assert d_w.tolist() == [[0], [1], [10], [11]]


def test_the_slides_convolution_with_a_bias():
    z, _ = bp.conv_fwd(images(IMAGE), KERNEL[:, :, None, None], jnp.array([10.0]))
    assert plane(z) == [[14, 13, 14], [12, 14, 13], [12, 13, 14]]


def test_one_output_of_the_slides_convolution_sends_the_kernel_to_the_pixels_that_it_saw():
    way = (images(IMAGE), KERNEL[:, :, None, None])
    d_z = jnp.zeros((1, 3, 3, 1)).at[0, 1, 2, 0].set(2)
    d_x, d_w, d_b = bp.conv_bwd(way, d_z)
    assert (d_x[0, 1:4, 2:5, 0] == 2 * KERNEL).all()
    assert float(jnp.abs(d_x).sum()) == 2 * 5  # and nowhere else
    assert (d_w[:, :, 0, 0] == 2 * IMAGE[1:4, 2:5]).all()
    assert d_b.tolist() == [2]


@pytest.mark.parametrize(
    ("settings", "z", "d_z", "d_x", "d_w"),
    [
        ({}, [21, 32], [1, 100], [1, 10 + 100, 1000], [1 * 1 + 100 * 2, 1 * 2 + 100 * 3]),
        # The taps see 0 1, then 2 3.
        ({"strides": (1, 2), "padding": ((0, 0), (1, 1))},
         [10, 32], [1, 100], [10, 100, 1000], [0 + 200, 1 + 300]),
        ({"dilation": (1, 2)}, [31], [1], [1, 0, 10], [1, 3]),
        # "SAME" has its one zero behind.
        ({"padding": "SAME"}, [21, 32, 3], [1, 100, 7], [1, 110, 1007], [222, 302]),
    ],
)  # fmt: skip
def test_a_kernel_of_two_taps_over_three_pixels(settings, z, d_z, d_x, d_w):
    x, w = images([1, 2, 3]), jnp.array([1.0, 10.0]).reshape(1, 2, 1, 1)
    found, way = bp.conv_fwd(x, w, jnp.zeros(1), **settings)
    assert plane(found) == [z]
    by_x, by_w, by_b = bp.conv_bwd(way, images(d_z), **settings)
    assert plane(by_x) == [d_x]
    assert by_w.reshape(-1).tolist() == d_w
    assert by_b.tolist() == [sum(d_z)]


def test_kernels_add_up_over_channels_and_learn_each_from_its_own_output():
    x = jnp.array([1.0, 2.0]).reshape(1, 1, 1, 2)
    w = jnp.array([[3.0, 5.0, 7.0], [10.0, 20.0, 30.0]]).reshape(1, 1, 2, 3)
    z, way = bp.conv_fwd(x, w, jnp.array([0.0, 1.0, 2.0]))
    assert z.reshape(-1).tolist() == [23, 46, 69]
    d_x, d_w, d_b = bp.conv_bwd(way, jnp.array([1.0, 2.0, 0.0]).reshape(1, 1, 1, 3))
    assert d_x.reshape(-1).tolist() == [3 + 10, 10 + 40]
    assert d_w[0, 0].tolist() == [[1, 2, 0], [2, 4, 0]]
    assert d_b.tolist() == [1, 2, 0]


def test_the_slides_pooling_sends_the_gradient_to_the_first_of_the_largest():
    geometry = pooling((2, 2), (2, 2))
    y, way = bp.max_pool_fwd(images(POOLED), **geometry)
    assert plane(y) == [[3, 3], [3, 2]]
    (d_x,) = bp.max_pool_bwd(way, images([[1, 2], [3, 4]]), **geometry)
    # The first window holds two threes and the last three twos; nothing saw the last row.
    assert plane(d_x) == [
        [1, 0, 0, 0, 0], [0, 0, 0, 2, 0], [3, 0, 4, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0],
    ]  # fmt: skip


def test_the_slides_overlapping_windows():
    geometry = pooling((3, 3), (1, 1))
    y, way = bp.max_pool_fwd(images(POOLED), **geometry)
    assert plane(y) == [[3, 3, 3], [3, 3, 3], [3, 2, 3]]
    (d_x,) = bp.max_pool_bwd(way, jnp.ones((1, 3, 3, 1)), **geometry)
    assert float(d_x.sum()) == 9


def test_a_pixel_that_is_the_largest_of_two_windows_gets_both_gradients():
    geometry = pooling((1, 2), (1, 1))
    _, way = bp.max_pool_fwd(images([1, 5, 2]), **geometry)
    (d_x,) = bp.max_pool_bwd(way, images([1, 10]), **geometry)
    assert plane(d_x) == [[0, 11, 0]]


@pytest.mark.parametrize("first", [-1, 0])  # the zero that a padded zero would tie with
def test_padding_is_never_the_largest(first):
    geometry = pooling((1, 2), (1, 2), ((0, 0), (1, 0)))
    y, way = bp.max_pool_fwd(images([first, -3, -2]), **geometry)
    assert plane(y) == [[first, -2]]
    assert plane(bp.max_pool_bwd(way, images([4, 5]), **geometry)[0]) == [[4, 0, 5]]


def test_what_is_not_a_number_gets_the_gradient_as_in_automatic_differentiation():
    x, geometry = images([[1, np.nan], [2, 3]]), pooling((2, 2), (2, 2))
    y, way = bp.max_pool_fwd(x, **geometry)
    assert jnp.isnan(y).all()
    expected = jax.grad(lambda x: bp.max_pool_fwd(x, **geometry)[0].sum())(x)
    assert plane(expected) == [[0, 1], [0, 0]]
    assert plane(bp.max_pool_bwd(way, jnp.ones_like(y), **geometry)[0]) == plane(expected)


def test_average_pooling_shares_the_gradient_evenly():
    geometry = pooling((1, 2), (1, 1))
    y, way = bp.avg_pool_fwd(images([1, 5, 2]), **geometry)
    assert plane(y) == [[3, 3.5]]
    (d_x,) = bp.avg_pool_bwd(way, images([2, 4]), **geometry)
    assert plane(d_x) == [[1, 1 + 2, 2]]


def test_padded_zeros_count_in_an_average():
    geometry = pooling((2, 2), (2, 2), ((1, 0), (0, 1)))
    y, way = bp.avg_pool_fwd(images([6]), **geometry)
    assert plane(y) == [[1.5]]
    assert plane(bp.avg_pool_bwd(way, images([8]), **geometry)[0]) == [[2]]
