"""A convolution of which a row or a column more is asked for, and when it is."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dl_jax.ops.convolution_eigen import by_eigen, goes_through_loops, pays_by_eigen
from dl_jax.ops.convolution_native import Convolution, native

F64, F32, BF16 = map(jnp.dtype, (jnp.float64, jnp.float32, jnp.bfloat16))


def settings(height=12, width=9, *, kernel=3, padding=((1, 1), (1, 1)), stride=1, dilation=1):
    return Convolution(
        (height, width), (kernel, kernel), (stride, stride), padding, (dilation, dilation), 1, None
    )


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"height": 9, "width": 12},
        {"padding": ((0, 0), (0, 0))},
        {"padding": ((2, 0), (0, 1))},
        {"padding": ((0, 0), (2, 1))},  # larger already
        {"padding": ((-1, 2), (-3, 1)), "kernel": 2},
        {"padding": ((1, -2), (2, -4))},
        {"dilation": 2, "padding": ((2, 2), (2, 2))},
        {"kernel": 8, "padding": ((0, 0), (0, 0))},
    ],
)
def test_it_is_the_convolution(changes, key):
    how = settings(**changes)
    # Whole numbers: every sum is exact in any order.
    x = jnp.round(4 * jax.random.normal(key, (2, *how.image, 3)))
    w = jnp.round(4 * jax.random.normal(jax.random.key(1), (*how.kernel, 3, 5)))
    np.testing.assert_array_equal(by_eigen(x, w, how), native(x, w, how))


@pytest.mark.parametrize(
    ("channels", "changes", "expected"),
    [
        (16, {}, True),
        (15, {}, True),  # 135 taps
        (14, {}, False),  # 126 taps
        (16, {"stride": 2}, False),
        (200, {"kernel": 1, "padding": ((0, 0), (0, 0))}, False),  # a matrix product
        (16, {"padding": ((0, 0), (0, 0))}, True),  # 13 rows of outputs instead of 10
        (16, {"padding": ((0, 0), (0, 0)), "height": 6, "width": 6}, False),  # 7 instead of 4
        (16, {"height": 3}, True),
        (16, {"height": 2}, False),  # smaller than the kernel
        (16, {"dilation": 4, "padding": ((4, 4), (4, 4))}, True),
        (16, {"dilation": 5, "padding": ((5, 5), (5, 5))}, False),
    ],
)
def test_when_it_pays(channels, changes, expected):
    how = settings(**changes)
    w = (*how.kernel, channels, 17)
    assert pays_by_eigen(w, F32, how) == pays_by_eigen(w, BF16, how) == expected
    assert not pays_by_eigen(w, F64, how)  # there is none
    assert not pays_by_eigen((*how.kernel, channels, 16), F32, how)  # it goes there anyhow


@pytest.mark.parametrize(("features", "expected"), [(11, False), (12, True)])
def test_few_features_are_left_to_the_other_library(features, expected):
    assert pays_by_eigen((3, 3, 64, features), F32, settings()) == expected


@pytest.mark.parametrize(
    ("channels", "dtype", "padding", "expected"),
    [
        (8, F64, ((2, 2), (2, 2)), True),
        (7, F64, ((2, 2), (2, 2)), False),  # 63 taps
        (8, F64, ((1, 1), (1, 1)), False),  # no more outputs than pixels
        (8, F64, ((0, 0), (2, 1)), True),
        (8, F32, ((2, 2), (2, 2)), False),
    ],
)
def test_what_xla_has_no_library_for(channels, dtype, padding, expected):
    how = settings(padding=padding)
    assert goes_through_loops((*how.kernel, channels, 4), dtype, how) == expected


def test_xla_gives_it_to_another_library():
    """What the row more is for; an XLA that skips this has no need of it."""
    how = settings()
    x, w = jnp.ones((1, *how.image, 32)), jnp.ones((3, 3, 32, 8))
    text = [
        jax.jit(lambda x, w, f=f: f(x, w, how)).lower(x, w).compile().as_text() or ""
        for f in (native, by_eigen)
    ]
    if "ynn_fusion" not in text[0]:
        pytest.skip("this XLA does not give convolutions to YNNPACK")
    assert "ynn_fusion" not in text[1]
