"""A proof that would pass a mistake proves nothing: it fails for each of the plausible ones."""

import inspect

import jax.numpy as jnp
import numpy as np
import pytest

from dl_jax.backprop.proof import MISTAKES, RULES, Mistake, is_caught, make_mistake, prove


@pytest.mark.parametrize("rule", RULES)
def test_every_mistake_in_a_rule_is_caught(rule):
    mistakes = [mistake for mistake in MISTAKES if mistake.rule == rule]
    assert mistakes  # a rule that nobody can get wrong is not tested
    assert [mistake.what for mistake in mistakes if not is_caught(mistake)] == []


@pytest.mark.parametrize("rule", ["tanh", "dense", "softmax_cross_entropy"])
def test_float32_has_digits_enough_to_catch_them_too(rule):
    mistakes = [mistake for mistake in MISTAKES if mistake.rule == rule]
    missed = [m.what for m in mistakes if not is_caught(m, precision="float32")]
    assert missed == []


@pytest.mark.parametrize("mistake", [m for m in MISTAKES if "stride" in m.what])
def test_a_wrong_stride_is_found_by_its_numbers(mistake):
    rule = RULES["conv"]
    leaves = prove(rule.case(np.random.default_rng(0), make_mistake(mistake)))
    wrong = "input 1" if mistake.what.startswith("kernel") else "input 0"
    assert [leaf.name for leaf in leaves if not leaf.passed] == [wrong]


def test_there_are_many_mistakes_and_no_two_are_the_same():
    assert len(MISTAKES) >= 75
    assert {mistake.rule for mistake in MISTAKES} == set(RULES)
    assert len({(m.rule, m.right, m.wrong) for m in MISTAKES}) == len(MISTAKES)
    assert len({(m.rule, m.what) for m in MISTAKES}) == len(MISTAKES)


@pytest.mark.parametrize(("right", "wrong"), [("1 - y", "(1 - y)"), ("* d_y", "* (d_y)")])
def test_a_change_that_is_no_mistake_is_not_caught(right, wrong):
    assert not is_caught(Mistake("sigmoid", "the same in other words", right, wrong), num_cases=2)


def test_a_mistake_that_cannot_be_run_is_caught():
    assert is_caught(Mistake("dense", "the kernel of a wrong shape", "w.T", "w[:0]"))


def test_an_error_that_is_no_matter_of_shapes_is_not_taken_for_a_catch():
    with pytest.raises(NameError, match="unheard_of"):
        is_caught(Mistake("sigmoid", "a name that is none", "(1 - y)", "unheard_of"))


def test_a_mistake_changes_a_copy_of_the_rule():
    before = inspect.getsource(RULES["sigmoid"].derivation)
    mistake = Mistake("sigmoid", "twice as much", "* d_y", "* 2 * d_y")
    wrong = make_mistake(mistake)
    assert wrong is not RULES["sigmoid"].derivation
    y, d_y = jnp.array(0.5), jnp.array(1.0)
    assert (wrong(y, d_y), RULES["sigmoid"].derivation(y, d_y)) == ((0.5,), (0.25,))
    assert inspect.getsource(RULES["sigmoid"].derivation) == before
    case = RULES["sigmoid"].case(np.random.default_rng(0), wrong)
    output, gradient = prove(case)
    assert output.passed
    assert gradient.autodiff == pytest.approx(1)  # off by as much as the gradient is


@pytest.mark.parametrize(
    ("right", "times"),
    [
        ("y * (2 - y)", 0),  # not in the rule (any more)
        ("dE/dz", 0),  # in the docstring alone
        ("y", 3),  # more than once: y * (1 - y) * d_y
    ],
)
def test_a_mistake_whose_text_is_not_there_once_says_so(right, times):
    message = rf"mistake 'a new one' of sigmoid: expected .* found it {times} times; bring the mis"
    with pytest.raises(ValueError, match=message):
        make_mistake(Mistake("sigmoid", "a new one", right, "0"))
