import math

import pytest

from dl_jax.report import judge, overall


@pytest.mark.parametrize(
    ("value", "direction", "expected"),
    [
        (0.989, ">=", "met"),  # the bound itself
        (0.9889999, ">=", "missed"),
        (0.99, ">=", "met"),
        (0.989, "<=", "met"),
        (0.9890001, "<=", "missed"),
        (0.98, "<=", "met"),
        (math.nan, ">=", "missed"),
        (math.nan, "<=", "missed"),
        (math.inf, "<=", "missed"),
    ],
)
def test_judge(value, direction, expected):
    assert judge(value, 0.989, direction, comparable=True) == expected


def test_other_data_are_not_comparable_however_good():
    assert judge(1.0, 0.5, ">=", comparable=False) == "not comparable"
    assert judge(0.0, 0.5, ">=", comparable=False) == "not comparable"


def test_a_figure_without_a_bound_is_not_judged():
    assert judge(1.0, None, ">=", comparable=True) is None
    assert judge(1.0, None, ">=", comparable=False) is None


def test_unknown_direction():
    with pytest.raises(ValueError, match="expected '>=' or '<=', got '>'"):
        judge(1.0, 0.5, ">", comparable=True)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([], "not comparable"),
        ([None], "not comparable"),
        (["met", None], "met"),
        (["met", "not comparable"], "not comparable"),
        (["not comparable", "missed", "met"], "missed"),
        (["missed", "interrupted"], "interrupted"),
    ],
)
def test_the_worst_verdict_counts(verdicts, expected):
    assert overall(iter(verdicts)) == expected
