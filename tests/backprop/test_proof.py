"""The proof proves every rule, and fails what is wrong."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dl_jax.backprop.proof import (
    AUTODIFF_BOUND,
    DIFFERENCES_BOUND,
    RULES,
    Case,
    Leaf,
    Precision,
    prove,
)

some = settings(
    max_examples=2, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
SEEDS = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize("name", RULES)
@some
@given(seed=SEEDS)
def test_every_rule_is_proved_in_float64(name, seed):
    case = RULES[name].case(np.random.default_rng(seed), RULES[name].derivation)
    output, *gradients = leaves = prove(case, "float64", seed)
    floats = [x for x in case.inputs if jnp.issubdtype(x.dtype, jnp.floating)]
    assert [leaf.shape for leaf in gradients] == [x.shape for x in floats]
    assert output.name == "output"
    chex.assert_scalar_non_negative(max(leaf.autodiff for leaf in leaves))
    assert all((leaf.differences is not None) == case.smooth for leaf in gradients)
    assert all(leaf.bound == AUTODIFF_BOUND for leaf in leaves)
    assert [leaf for leaf in leaves if not leaf.passed] == []


@pytest.mark.parametrize("name", RULES)
@settings(some, max_examples=1)
@given(seed=SEEDS)
def test_every_rule_is_proved_in_float32_within_its_bound(name, seed):
    case = RULES[name].case(np.random.default_rng(seed), RULES[name].derivation)
    leaves = prove(case, "float32", seed)
    # A bound that grows with the sums, and is no wider than a thousandth of the figure.
    bound = 4 * (case.length + 8) * 2.0**-24
    assert all(leaf.bound == pytest.approx(bound) and bound < 1e-3 for leaf in leaves)
    assert all(leaf.differences is None for leaf in leaves)
    assert [leaf for leaf in leaves if not leaf.passed] == []


CUBE = Case(
    forward=lambda x: (x**3, x),
    backward=lambda x, d_y: (3 * x**2 * d_y,),
    reference=lambda x: x * x * x,
    inputs=(np.array([-2.0, 0.5, 3.0]),),
)


def errors(case, precision: Precision = "float64"):
    output, gradient = prove(case, precision)
    return output, gradient


def test_a_right_gradient_is_as_near_to_autodiff_as_float64_goes():
    output, gradient = errors(CUBE)
    assert max(output.autodiff, gradient.autodiff) < 4 * np.finfo(np.float64).eps
    assert output.differences is None


def test_central_differences_of_a_cube_are_off_by_the_square_of_the_step():
    # (f(x + h) - f(x - h)) / 2h = 3 x^2 + h^2, with h = eps^(1/3) max(1, |x|) = 6e-6 max(1, |x|).
    differences = errors(CUBE)[1].differences
    assert differences is not None
    largest_step = 3 * np.cbrt(np.finfo(np.float64).eps)
    assert 1e-13 < differences < 4 * largest_step**2 / (3 * 0.5**2)


def test_the_differences_are_of_the_hand_written_function():
    # Where function and gradient are wrong alike, only the reference tells, and it does.
    square = CUBE._replace(forward=lambda x: (x**2, x), backward=lambda x, d_y: (2 * x * d_y,))
    output, gradient = errors(square)
    assert not output.passed
    assert gradient.differences is not None
    assert gradient.differences < DIFFERENCES_BOUND
    assert not gradient.passed


def test_differences_find_a_reference_that_makes_the_same_mistake():
    @jax.custom_vjp
    def cube(x):
        return x**3

    cube.defvjp(lambda x: (x**3, x), lambda x, d_y: (2 * x**2 * d_y,))
    wrong = CUBE._replace(reference=cube, backward=lambda x, d_y: (2 * x**2 * d_y,))
    _, gradient = errors(wrong)
    assert gradient.autodiff <= gradient.bound
    assert gradient.differences == pytest.approx(0.5 * 2 / 3, rel=0.5)
    assert not gradient.passed


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("factor", [1 + 1e-2, -1.0, np.nan, np.inf])
def test_a_wrong_gradient_is_not_proved(precision, factor):
    wrong = CUBE._replace(backward=lambda x, d_y: (3 * x**2 * d_y * factor,), smooth=False)
    output, gradient = errors(wrong, precision)
    assert output.passed
    assert not gradient.passed


def test_an_error_of_a_billionth_is_not_proved_in_float64():
    wrong = CUBE._replace(backward=lambda x, d_y: (3 * x**2 * d_y * (1 + 1e-9),))
    assert not errors(wrong)[1].passed
    assert errors(wrong, "float32")[1].passed  # which float32 cannot tell


def test_one_wrong_entry_does_not_hide_behind_the_others():
    wrong = CUBE._replace(backward=lambda x, d_y: ((3 * x**2 * d_y).at[1].add(1e-6),))
    assert not errors(wrong)[1].passed


def test_a_gradient_of_another_shape_or_type_is_refused():
    with pytest.raises(AssertionError, match="shape"):
        prove(CUBE._replace(backward=lambda x, d_y: ((3 * x**2 * d_y)[:2],), smooth=False))
    narrow = CUBE._replace(backward=lambda x, d_y: ((3 * x**2 * d_y).astype(jnp.float32),))
    with pytest.raises(AssertionError, match="float32"):
        prove(narrow)


@pytest.mark.parametrize(
    ("autodiff", "differences", "passed"),
    [
        (0.0, None, True),
        (AUTODIFF_BOUND, DIFFERENCES_BOUND, True),
        (2 * AUTODIFF_BOUND, None, False),
        (0.0, 2 * DIFFERENCES_BOUND, False),
        (np.nan, None, False),
        (0.0, np.nan, False),
        (np.inf, 0.0, False),
    ],
)
def test_a_leaf_has_passed_where_both_errors_are_within_their_bounds(autodiff, differences, passed):
    assert Leaf("input 0", (3,), autodiff, differences, AUTODIFF_BOUND).passed is passed
