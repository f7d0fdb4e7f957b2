"""Sizes, parameters and receptive fields: the lecture's figures, and what JAX really makes."""

import doctest
import importlib.util

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jax import lax

from dl_jax.models import CNN
from dl_jax.ops import (
    arithmetic,
    conv_output_size,
    conv_parameters,
    pool_output_size,
    receptive_field,
)

SIDES, SMALL = st.integers(1, 40), st.integers(1, 5)


def test_the_docstrings_examples():
    assert doctest.testmod(arithmetic) == (0, 4)


def test_alexnets_first_layers_as_on_the_slides():
    assert conv_output_size(227, 11, stride=4, padding=0) == 55
    assert pool_output_size(55, 3, stride=2) == 27
    parameters = conv_parameters(11, 3, 96)
    assert (parameters.weights, parameters.biases, parameters.total) == (34_848, 96, 34_944)


def test_alexnets_first_layers_as_flax_makes_them():
    class FirstLayers(nn.Module):
        @nn.compact
        def __call__(self, x):
            y = nn.Conv(96, (11, 11), strides=4, padding="VALID")(x)
            return y, nn.max_pool(y, (3, 3), (2, 2))

    image = jax.ShapeDtypeStruct((1, 227, 227, 3), jnp.float32)
    (y, pooled), variables = jax.eval_shape(
        FirstLayers().init_with_output, jax.random.key(0), image
    )
    assert y.shape == (1, 55, 55, 96)
    assert pooled.shape == (1, 27, 27, 96)
    conv = variables["params"]["Conv_0"]
    assert conv_parameters(11, 3, 96) == (conv["kernel"].size, conv["bias"].size)


def test_pooling_is_convolution_without_padding():
    # The slide's note: P = 0 and K = P_s.
    assert pool_output_size(26, 2, stride=2) == conv_output_size(26, 2, stride=2, padding=0) == 13


@settings(max_examples=60, deadline=None)
@given(SIDES, SMALL, SMALL, st.integers(0, 4), st.integers(1, 3))
@example(227, 11, 4, 0, 1)
def test_rounding_down_is_the_size_of_laxs_convolution(size, kernel, stride, padding, dilation):
    x, w = (jax.ShapeDtypeStruct((1, 1, n), jnp.float32) for n in (size, kernel))

    def convolve(x, w):
        return lax.conv_general_dilated(
            x, w, (stride,), [(padding, padding)], rhs_dilation=(dilation,)
        )

    made = jax.eval_shape(convolve, x, w).shape[-1]
    numbers = {"stride": stride, "padding": padding, "dilation": dilation}
    if made == 0:  # the kernel is larger than the image: lax makes nothing of it
        with pytest.raises(ValueError, match="no larger than the padded image"):
            conv_output_size(size, kernel, **numbers, rounding="floor")
        return
    assert conv_output_size(size, kernel, **numbers, rounding="floor") == made
    free = size - dilation * (kernel - 1) - 1 + 2 * padding
    if free % stride == 0:
        assert conv_output_size(size, kernel, **numbers) == free / stride + 1 == made
    else:
        with pytest.raises(ValueError, match=rf"= {free} does not divide by the stride {stride}"):
            conv_output_size(size, kernel, **numbers)


@settings(max_examples=60, deadline=None)
@given(SMALL, st.integers(0, 35), SMALL)
def test_rounding_down_is_the_size_of_flaxs_pooling(window, more, stride):
    x = jax.ShapeDtypeStruct((1, window + more, 1), jnp.float32)
    made = jax.eval_shape(lambda x: nn.max_pool(x, (window,), (stride,)), x).shape[1]
    assert pool_output_size(window + more, window, stride=stride, rounding="floor") == made


@settings(max_examples=60, deadline=None)
@given(SIDES, SMALL, SMALL, st.integers(0, 2))
def test_rounding_up_covers_every_pixel_with_windows_that_see_one(size, kernel, stride, padding):
    if size + 2 * padding < kernel or padding >= kernel:
        return
    starts = range(0, size + 2 * padding, stride)
    numbers = {"stride": stride, "padding": padding}
    count = conv_output_size(size, kernel, **numbers, rounding="ceil")
    # Windows that fit, and one more where something is left over that it begins on or before.
    fit = [s for s in starts if s + kernel <= size + 2 * padding]
    rest = starts[len(fit) :]
    left_over = fit[-1] + kernel < size + 2 * padding
    one_more = left_over and bool(rest) and rest[0] < size + padding
    assert count == len(fit) + one_more


def test_rounding_up_by_hand():
    assert pool_output_size(6, 3, stride=2, rounding="floor") == 2
    assert pool_output_size(6, 3, stride=2, rounding="ceil") == 3  # at 0, 2 and 4
    assert pool_output_size(7, 3, stride=2, rounding="ceil") == 3  # nothing is left over
    assert pool_output_size(3, 1, stride=3, rounding="ceil") == 1  # a second would begin at 3
    assert pool_output_size(2, 3, stride=2, rounding="ceil") == 1  # it overhangs, as PyTorch has it
    with pytest.raises(ValueError, match="no larger than the padded image, got 4 over 2"):
        pool_output_size(2, 4, stride=2, rounding="ceil")
    # PyTorch's own example of it: padding on the right alone is no reason for a window.
    assert conv_output_size(3, 2, stride=2, padding=1, rounding="ceil") == 2


def test_parameters_are_those_of_the_lectures_network():
    shapes = jax.eval_shape(CNN().init, jax.random.key(0), jnp.zeros((1, 28, 28, 1)))["params"]
    for name, numbers in {"Conv_0": (3, 1, 32), "Conv_1": (3, 32, 64)}.items():
        count = sum(leaf.size for leaf in jax.tree.leaves(shapes[name]))
        assert conv_parameters(*numbers).total == count


def test_receptive_fields_by_hand():
    assert receptive_field([]) == 1
    assert receptive_field([(3, 1)]) == 3
    assert receptive_field([(3, 1), (3, 1)]) == 5  # as one kernel of 5 (VGGNet)
    assert receptive_field([(3, 1, 2)]) == 5  # taps at 0, 2 and 4
    assert receptive_field([(11, 4), (3, 2)]) == 11 + 2 * 4  # AlexNet: three kernels, 4 apart


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 2)), min_size=1, max_size=3
    )
)
def test_the_receptive_field_is_where_the_gradient_of_an_output_reaches(layers):
    reach = receptive_field(layers)
    size = reach + 4

    def first_output(x):
        for kernel, stride, dilation in layers:
            x = lax.conv_general_dilated(
                x, jnp.ones((1, 1, kernel)), (stride,), "VALID", rhs_dilation=(dilation,)
            )
        return x[0, 0, 0]

    seen = np.flatnonzero(jax.grad(first_output)(jnp.ones((1, 1, size)))[0, 0])
    assert (seen[0], seen[-1]) == (0, reach - 1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: conv_output_size(8, 3, stride=2),
            r"conv_output_size: \(I - K \+ 2P\) = 5 does not divide by the stride 2: 1 left over, "
            "which rounding='floor' leaves out and rounding='ceil' covers",
        ),
        (
            lambda: conv_output_size(8, 3, stride=2, dilation=2),
            r"\(I - D \(K - 1\) - 1 \+ 2P\) = 3 does not divide by the stride 2: 1 left over",
        ),
        (
            lambda: pool_output_size(55, 2, stride=4),
            r"pool_output_size: \(I - P_s\) = 53 does not divide by the stride 4: 1 left over",
        ),
        (
            lambda: conv_output_size(8, 11, padding=1, rounding="floor"),
            "conv_output_size: expected a window no larger than the padded image, got 11 over 10",
        ),
        (lambda: conv_output_size(0, 3), "conv_output_size: expected a positive size, got 0"),
        (lambda: conv_output_size(8, -3), "expected a positive kernel_size, got -3"),
        (lambda: conv_output_size(8, 3, stride=0), "expected a positive stride, got 0"),
        (lambda: conv_output_size(8, 3, dilation=0), "expected a positive dilation, got 0"),
        (lambda: conv_output_size(8, 3, padding=-1), "expected a padding of at least 0, got -1"),
        (lambda: pool_output_size(8, 0, stride=2), "expected a positive pool_size, got 0"),
        (lambda: conv_parameters(3, 0, 2), "conv_parameters: expected a positive in_channels"),
        (
            lambda: receptive_field([(3, 1), (3, 0)]),
            "receptive_field, layer 1: expected a positive stride, got 0",
        ),
    ],
)
def test_numbers_that_do_not_fit(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.fixture(scope="module")
def unchecked():
    """The module as a user has it: in tests, types are checked before a function is entered."""
    spec = importlib.util.spec_from_file_location("unchecked", arithmetic.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("name", "arguments", "what"),
    [
        ("conv_output_size", (8, 3.0), "kernel_size, got 3.0"),
        ("pool_output_size", (8.5, 2), "size, got 8.5"),
        ("conv_parameters", ((3, 3), 1, 2), r"kernel_size, got \(3, 3\)"),
        ("receptive_field", ([(3, 1.5)],), "stride, got 1.5"),
    ],
)
def test_numbers_that_are_not_whole(name, arguments, what, unchecked):
    more = {"stride": 2} if name == "pool_output_size" else {}
    with pytest.raises(TypeError, match=rf"{name}.*: expected a whole number as {what}"):
        getattr(unchecked, name)(*arguments, **more)


def test_other_arguments_that_do_not_fit(unchecked):
    with pytest.raises(TypeError, match="expected a whole number as padding, got 'SAME'"):
        unchecked.conv_output_size(8, 3, padding="SAME")
    with pytest.raises(ValueError, match="expected rounding 'floor', 'ceil' or None, got 'up'"):
        unchecked.conv_output_size(8, 3, rounding="up")
    with pytest.raises(ValueError, match=r"layer 0: expected \(kernel size, stride\) or .* \(3,\)"):
        unchecked.receptive_field([(3,)])


def test_numpys_whole_numbers_give_pythons(unchecked):
    three = np.asarray([3])[0]
    size = unchecked.conv_output_size(9 * three, three, stride=three - 2, padding=three // 3)
    assert (size, type(size)) == (27, int)
    assert type(unchecked.receptive_field([(three, three)])) is int
