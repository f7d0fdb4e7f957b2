"""The proof proves every rule, and fails what is wrong."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dl_jax.backprop.proof import (
    AUTODIFF_BOUND,
    DIFFERENCES_BOUND,
    RULES,
    Case,
    Leaf,
    Precision,
    prove,
)
from dl_jax.backprop.proof.rounding import rounding_errors

DEAR = ("conv", "max_pool", "max_pool_of_ties")
"""Rules whose programs take longest to compile."""
SEEDS = st.integers(0, 2**32 - 1)
some = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def proof(name: str, precision: Precision, seed: int):
    """A rule's case of that seed, and its proof."""
    case = RULES[name].case(np.random.default_rng(seed), RULES[name].derivation)
    return case, prove(case, precision, seed)


@pytest.mark.parametrize("name", RULES)
def test_every_rule_is_proved_in_float64(name):
    @settings(some, max_examples=1 if name in DEAR else 3)
    @given(SEEDS)
    def at(seed):
        case, leaves = proof(name, "float64", seed)
        output, *gradients = leaves
        floats = [x for x in case.inputs if jnp.issubdtype(x.dtype, jnp.floating)]
        assert [leaf.shape for leaf in gradients] == [x.shape for x in floats]
        assert output.name == "output"
        chex.assert_scalar_non_negative(max(leaf.autodiff for leaf in leaves))
        assert all((leaf.differences is not None) == case.smooth for leaf in gradients)
        assert all(leaf.bound == AUTODIFF_BOUND for leaf in leaves)
        assert [leaf for leaf in leaves if not leaf.passed] == []

    at()


@pytest.mark.parametrize("name", RULES)
def test_every_rule_is_proved_in_float32_within_its_bound(name):
    @settings(some, max_examples=1 if name in DEAR else 2)
    @given(SEEDS)
    def at(seed):
        _, leaves = proof(name, "float32", seed)
        assert all(leaf.differences is None for leaf in leaves)
        assert [leaf for leaf in leaves if not leaf.passed] == []

    at()


@pytest.mark.parametrize(
    ("name", "seed", "what"),
    [
        ("linear_delta_rule", 724, "the sum over the inputs"),
        ("linear_delta_rule", 36347, "y - t, of the only example"),
        ("tanh_from_sigmoid", 552, "2 sigmoid(2x) - 1, near 0"),
        ("tanh_from_sigmoid", 12691, "the same, nearer: 4 of 16 digits are lost, too"),
        ("tanh", 3434, "1 - y^2, where y is nearly 1"),
        ("dense", 5190, "x . w + b, of the only example"),
    ],
)
def test_where_terms_cancel_the_bound_knows_it(name, seed, what):
    del what  # cancels there
    for precision in ("float32", "float64"):
        _, leaves = proof(name, precision, seed)
        assert [leaf for leaf in leaves if not leaf.passed] == []
        if precision == "float32":
            assert max(leaf.bound for leaf in leaves) > 5e-5


def test_float32_bounds_are_narrow_where_nothing_cancels():
    names = ("sigmoid", "dense", "layer_recursion", "conv")
    bounds = [leaf.bound for name in names for leaf in proof(name, "float32", 0)[1]]
    assert min(bounds) > 2**-24
    assert max(bounds) < 1e-5


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_a_bound_that_is_not_finite_bounds_nothing(precision):
    # The derivative of the root at 0 is infinite, and so is the bound, but not its square here.
    def root(x):
        return (jnp.sqrt(x) * 2, x)

    case = Case(root, lambda x, d_y: (d_y * 0,), lambda x: jnp.sqrt(x), (np.array([0.0, 0.1]),))
    output, gradient = prove(case._replace(smooth=False), precision)
    assert not output.passed
    assert not gradient.passed


def in_units(function, *inputs):
    with jax.enable_x64(True):
        return np.asarray(rounding_errors(function, *map(jnp.asarray, inputs)))


def test_the_bound_of_each_kind_of_operation():
    x, exact = np.array([0.1, -0.7]), np.array([0.5, -4.0])
    np.testing.assert_allclose(in_units(lambda x: x[::-1], x), [0.7, 0.1])
    np.testing.assert_allclose(in_units(lambda x: x * 3, exact), [1.5, 12])
    np.testing.assert_allclose(
        in_units(lambda x: x * x, x), 3 * x**2
    )  # of each factor, and its own
    np.testing.assert_allclose(in_units(jnp.exp, x), np.exp(x) * (8 + np.abs(x)))
    np.testing.assert_allclose(in_units(lambda x: x.sum(), x), 0.8 + 2 * 0.8)
    np.testing.assert_allclose(in_units(lambda x: x @ x, x), 2 * 0.5 + 2 * 0.5)
    np.testing.assert_allclose(in_units(lambda x: x - 0.1, x), [0.2, 0.7 + 0.1 + 0.8])
    assert (in_units(lambda x: x > 0, x) == 0).all()


def test_an_operation_whose_rounding_is_not_known_is_named():
    with pytest.raises(NotImplementedError, match="operation lgamma"):
        in_units(jax.lax.lgamma, np.array([0.1]))


FUNCTIONS = {
    "1 - x^2": lambda x: 1 - x**2,
    "2 sigmoid(2x) - 1": lambda x: 2 * jax.nn.sigmoid(2 * x) - 1,
    "sum": lambda x: jnp.sum(x, 0),
    "product": lambda x: x @ x.T,
    "softmax": lambda x: jax.nn.softmax(x, axis=0),
    "log of a sum": lambda x: jnp.log1p(jnp.sum(x**2, 1)),
}
# Of one shape: each operation is compiled once.
values = hnp.arrays(np.float64, (3, 2), elements=st.integers(-400, 400).map(lambda i: i / 97))


@pytest.mark.parametrize("name", FUNCTIONS)
@settings(some, max_examples=20)
@given(x=values)
def test_no_error_of_float32_is_beyond_its_bound(name, x):
    function = FUNCTIONS[name]
    with jax.enable_x64(True):
        wide, narrow = (np.asarray(function(jnp.asarray(x, d))) for d in ("float64", "float32"))
    assert narrow.dtype == np.float32
    bound = 2 * 2.0**-24 * in_units(function, x)
    assert (np.abs(narrow - wide) <= bound).all()


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


def test_float64_is_on_a_cpu_and_the_float32_derivation_on_the_default_device():
    places = []

    def backward(x, d_y):
        places.append(jax.config.jax_default_device)  # pyright: ignore
        return (3 * x**2 * d_y,)

    prove(CUBE._replace(backward=backward))
    assert {getattr(place, "platform", None) for place in places} == {"cpu"}
    prove(CUBE._replace(backward=backward), "float32")
    assert places[-1] is None


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
