"""What an array holds, by its rank, and the order of its axes."""

import doctest
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dl_jax.ops import describe, shapes, to_channels_first, to_channels_last


def of_shape(*shape):
    """A shape without an array: the slides' are of up to several gigabytes."""
    return jax.ShapeDtypeStruct(shape, jnp.float32)


def test_the_docstrings_examples():
    assert doctest.testmod(shapes) == (0, 2)


@pytest.mark.parametrize(
    ("shape", "line"),
    [
        ((100_000, 3), "vector data (samples=100000, features=3)"),  # age, ZIP code, income
        ((500, 20_000), "vector data (samples=500, features=20000)"),  # counts of words
        ((250, 390, 3), "sequences (samples=250, timesteps=390, features=3)"),  # stock prices
        ((128, 256, 256, 1), "images (samples=128, height=256, width=256, channels=1)"),
        ((128, 256, 256, 3), "images (samples=128, height=256, width=256, channels=3)"),
        ((128, 3, 256, 256), "images (samples=128, channels=3, height=256, width=256)"),
        (
            (4, 240, 144, 256, 3),
            "video (samples=4, frames=240, height=144, width=256, channels=3)",
        ),
        (
            (4, 240, 3, 144, 256),
            "video (samples=4, frames=240, channels=3, height=144, width=256)",
        ),
        ((), "a scalar"),
        ((1,) * 6, "rank 6, for which the lecture names no data"),
    ],
)
def test_the_slides_examples(shape, line):
    assert str(describe(of_shape(*shape))) == line


def test_a_description_is_data():
    kind, readings = describe(of_shape(10, 3))
    assert kind == "vector data"
    assert [dict(axes) for axes in readings] == [{"samples": 10, "features": 3}]
    assert describe(of_shape()).readings == ((),)
    assert describe(of_shape(*(2,) * 7)).readings == ()


@pytest.mark.parametrize("shape", [(2, 3, 7, 4), (2, 5, 7, 6), (2, 9, 1, 7, 3), (2, 3, 6, 7, 8)])
def test_both_orders_are_said_where_the_channels_could_be_in_both_places_or_in_none(shape):
    description = describe(of_shape(*shape))
    last, first = (dict(axes) for axes in description.readings)
    assert (last["channels"], first["channels"]) == (shape[-1], shape[-3])
    assert (last["height"], last["width"]) == shape[-3:-1]
    assert (first["height"], first["width"]) == shape[-2:]
    assert last["samples"] == first["samples"] == shape[0]
    line = str(description)
    assert f"channels={shape[-1]}) or (samples={shape[0]}, " in line
    assert line.endswith("): a guess, as the shape alone does not tell")


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_one_three_and_four_are_numbers_of_channels(channels):
    assert dict(describe(of_shape(2, 8, 9, channels)).readings[0])["channels"] == channels
    assert len(describe(of_shape(2, 8, 9, channels)).readings) == 1
    assert len(describe(of_shape(2, 8, 9, 2)).readings) == 2


def test_one_axis_is_one_vector_or_a_label_a_sample():
    description = describe(of_shape(5))
    assert description.readings == ((("features", 5),), (("samples", 5),))
    assert str(description).startswith("one vector or one label a sample (features=5) or (samples")


def test_arrays_of_every_kind_and_traced_ones(key):
    expected = describe(of_shape(2, 3))
    assert describe(np.zeros((2, 3))) == describe(jnp.zeros((2, 3))) == expected
    assert describe(jax.random.split(key, (2, 3))) == expected
    seen = []
    jax.jit(lambda x: seen.append(describe(x)) or x)(jnp.zeros((2, 3)))
    assert seen == [expected]


@pytest.mark.parametrize(
    ("last", "first"),
    [((2, 5, 7, 3), (2, 3, 5, 7)), ((2, 6, 5, 7, 3), (2, 6, 3, 5, 7))],
)
def test_channels_move_before_height_and_width_and_back(last, first):
    x = np.arange(np.prod(last)).reshape(last)
    y = to_channels_first(jnp.asarray(x))
    assert y.shape == first
    for c in range(3):
        assert (y[..., c, :, :] == x[..., c]).all()
    assert (to_channels_last(y) == x).all()


def test_the_order_changes_under_jit_grad_and_vmap(key):
    x = jax.random.normal(key, (2, 4, 5, 7, 3))
    weights = jnp.arange(3.0).reshape(1, 3, 1, 1)

    def energy(images):
        return jnp.sum(to_channels_first(images) * jnp.broadcast_to(weights, (4, 3, 5, 7)))

    gradient = jax.jit(jax.vmap(jax.grad(energy)))(x)
    assert (gradient == jnp.broadcast_to(jnp.arange(3.0)[None, None, None, None], x.shape)).all()


@pytest.mark.parametrize("shape", [(5,), (28, 28, 1), (1,) * 6])
def test_other_ranks_have_no_such_order(shape):
    x = jnp.zeros(shape)
    message = rf"or video \[n, frames, height, width, channels\], got .* rank {len(shape)}, \["
    with pytest.raises(ValueError, match=rf"to_channels_first: expected images .* {message}"):
        to_channels_first(x)
    with pytest.raises(ValueError, match=r"to_channels_last: expected images \[n, channels, heigh"):
        to_channels_last(x)


def test_what_has_no_shape_is_refused():
    with pytest.raises(TypeError, match=r"expected something with a shape.* got tuple"):
        inspect.unwrap(describe)((128, 256, 256, 3))  # without the check of types in tests
