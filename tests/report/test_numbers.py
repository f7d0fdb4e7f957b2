import math

import numpy as np
import pytest

from dl_jax.report import format_number, format_seconds


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (34826, "34,826"),
        (np.int64(1000), "1,000"),
        (0.0, "0"),
        (0.9911, "0.9911"),
        (np.float32(0.5), "0.5000"),
        (-0.25, "-0.2500"),
        (9.99996, "10.00"),
        (12.346, "12.35"),
        (99.996, "100.0"),
        (1234.4, "1,234"),
        (3.75e29, "3.75e+29"),
        (2e-5, "2.00e-05"),
        (math.nan, "NaN"),
        (-math.inf, "−∞"),
        (None, "–"),
        ("adam", "adam"),
        (True, "True"),
    ],
)
def test_format_number(value, text):
    assert format_number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 µs"),
        (0.00084, "840 µs"),
        (0.0004, "400 µs"),
        (0.9996, "1.00 s"),
        (1.356, "1.36 s"),
        (12.345, "12.3 s"),
        (59.96, "1 min 00 s"),
        (185, "3 min 05 s"),
        (3599.9, "1 h 00 min"),
        (3725, "1 h 02 min"),
        (None, "–"),
        (math.nan, "–"),
    ],
)
def test_format_seconds(seconds, text):
    assert format_seconds(seconds) == text
