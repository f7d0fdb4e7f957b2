"""The lecture's page tells the truth: what it names exists, and what exists is named."""

import re
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

import dl_jax
from dl_jax import backprop
from dl_jax.backprop.proof import RULES
from experiments import reproduce, worked_examples

ROOT = Path(__file__).parent.parent
SLIDES = re.split(r"^### ", (ROOT / "docs" / "lecture.md").read_text(), flags=re.MULTILINE)[1:]
TESTS = set(
    re.findall(
        r"^def (test_\w+)",
        "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py")),
        re.MULTILINE,
    )
)


def named(kind: str, text: str = "".join(SLIDES)) -> list[str]:
    lines = re.findall(rf"^- {kind}: (.*)$", text, re.MULTILINE)
    return [name for line in lines for name in re.findall(r"`([^`]+)`", line)]


@pytest.mark.parametrize("slide", SLIDES, ids=lambda slide: slide.split("\n")[0])
def test_every_slide_has_code_and_a_test_that_exist(slide):
    code, tests, figures = (named(kind, slide) for kind in ("code", "test", "figure"))
    assert code
    assert tests
    for name in code:
        part, function = name.split(".")
        assert part in dl_jax.__all__
        assert hasattr(import_module(f"dl_jax.{part}"), function)
    assert set(tests) <= TESTS
    assert all(find_spec(name) for name in figures)


def test_every_rule_and_every_public_name_of_the_derivations_is_on_a_slide():
    functions = {name.removeprefix("backprop.") for name in named("code")}
    assert {rule.derivation.__name__ for rule in RULES.values()} <= functions
    tools = {"check", "Report", "LeafReport"}  # for derivations that are not the lecture's
    pairs = {name for name in backprop.__all__ if name.isupper()}  # two functions as one
    assert set(backprop.__all__) - tools - pairs == functions & set(backprop.__all__)


def test_every_experiment_is_the_figure_of_a_slide():
    experiments = [*reproduce.EXPERIMENTS, *worked_examples.EXAMPLES, "hand_gradients"]
    assert {f"experiments.{name}" for name in experiments} == set(named("figure"))


def test_formulas_are_fenced_so_that_markdown_leaves_their_backslashes_alone():
    page = (ROOT / "docs" / "lecture.md").read_text()
    prose = re.sub(r"```math\n.*?\n```|\$`[^`\n]+`\$", "", page, flags=re.DOTALL)
    assert len(prose) < len(page) - 1000
    assert set(re.findall(r"\\.|\$", prose)) <= {r"\#"}


def test_the_tests_of_all_rules_exist():
    page = (ROOT / "docs" / "lecture.md").read_text().split("\n## ")[0]
    assert set(re.findall(r"`(test_\w+)`", page)) <= TESTS
