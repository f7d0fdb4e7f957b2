"""The worked examples whose pictures are curves: the slides' numbers, and what is refused."""

import json
import re

import jax.numpy as jnp
import numpy as np
import pytest

from dl_jax import backprop, ops
from experiments import activation_functions, delta_rule, learning_rate, softmax, worked_examples
from experiments.options import Output, main

EXAMPLES = {
    "activation_functions": activation_functions,
    "softmax": softmax,
    "delta_rule": delta_rule,
    "learning_rate": learning_rate,
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Each example's result with its own settings; they are run once for all tests."""
    place = tmp_path_factory.mktemp("examples")
    return {
        name: example.run(example.Config(out=place / name)).result
        for name, example in EXAMPLES.items()
    }


def value(result, name):
    (found,) = (figure["value"] for figure in result["figures"] if name in figure["name"])
    return found


def column(table, name):
    return [row[table["columns"].index(name)] for row in table["rows"]]


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_slides_are_met(name, results):
    verdicts = {figure["name"]: figure["verdict"] for figure in results[name]["figures"]}
    assert set(verdicts.values()) == {"met"}, verdicts


def test_the_derivatives_peak_where_the_lecture_says(results):
    result = results["activation_functions"]
    assert value(result, "largest derivative, sigmoid") == 0.25
    assert value(result, "largest derivative, tanh") == 1.0
    (table,) = result["tables"]
    at = column(table, "z").index("0")
    assert [table["rows"][at][k] for k in range(1, 7)] == [0.5, 0.25, 0, 1, 0, 0]
    np.testing.assert_allclose(column(table, "σ")[at + 1], 1 / (1 + np.exp(-1)), rtol=1e-6)
    np.testing.assert_allclose(column(table, "tanh′")[at - 1], 1 / np.cosh(1) ** 2, rtol=1e-6)


def test_a_wrong_derivative_is_missed(folder, monkeypatch):
    wrong = backprop.SIGMOID._replace(backward=lambda y, d_y: (0.9 * y * (1 - y) * d_y,))
    functions = {**activation_functions.FUNCTIONS, "sigmoid": (ops.sigmoid, wrong)}
    monkeypatch.setattr(activation_functions, "FUNCTIONS", functions)
    result = activation_functions.run(activation_functions.Config()).result
    assert result["verdict"] == "missed"


def test_the_normal_rate_halves_the_distance_and_the_large_one_grows_it_by_a_quarter(results):
    result = results["learning_rate"]
    # By hand: Σx² = 5, so 1 − 0.1 · 5 = 1/2 and 1 − 0.45 · 5 = −5/4, from w = 0 to the minimum 2.
    (table,) = result["tables"]
    assert column(table, "w, ε = 0.1")[:4] == [0, 1, 1.5, 1.75]
    assert column(table, "E, ε = 0.1")[:3] == [10, 2.5, 0.625]
    np.testing.assert_allclose(
        column(table, "w, ε = 0.45"), 2 - 2 * (-1.25) ** np.arange(7), rtol=1e-5
    )
    np.testing.assert_allclose(value(result, "normal:"), 0.5, rtol=1e-6)
    np.testing.assert_allclose(value(result, "too large:"), 1.25, rtol=1e-6)
    assert "below 2/Σx² = 0.4" in result["description"]


def test_a_normal_rate_that_diverges_is_said_to(folder):
    record = learning_rate.run(learning_rate.Config(normal=0.6, steps=20))
    assert value(record.result, "normal:") == pytest.approx(2)
    assert record.result["verdict"] == "not comparable"
    assert "Not the lecture's settings: normal 0.6" in record.result["description"]
    assert "Normal, ε = 0.6: from E = 10 to 1.1e+13" in record.pictures[0].caption
    assert record.pictures[0].caption.count("no nearer to the minimum") == 2


def test_a_step_that_is_not_the_rules_is_missed(folder, monkeypatch):
    rule = backprop.linear_delta_rule
    monkeypatch.setattr(learning_rate.backprop, "linear_delta_rule", lambda *a: 0.9 * rule(*a))
    assert learning_rate.run(learning_rate.Config()).result["verdict"] == "missed"


def test_the_first_steps_can_be_followed_with_a_pencil(results):
    examples, linear, sigmoid = results["delta_rule"]["tables"]
    t = [1.5, 0.0, 0.5, 1.0]
    assert column(examples, "t of the linear neuron") == t
    assert column(linear, "E")[0] == sum(v**2 for v in t) / 2
    # From weights of 0, y = 0: Δw_k is 0.2 times the sum of the targets where x_k = 1.
    first = [column(linear, f"Δw{k}")[0] for k in "₁₂₃"]
    np.testing.assert_allclose(first, [0.2 * 3.0, 0.2 * 1.5, 0.2 * 2.5], rtol=1e-6)
    # And the sigmoid's y = 1/2: Δw_k is 4 · 1/4 times the sum of t − 1/2 where x_k = 1.
    s = 1 / (1 + np.exp(-np.array(t))) - 0.5
    first = [column(sigmoid, f"Δw{k}")[0] for k in "₁₂₃"]
    np.testing.assert_allclose(first, delta_rule.INPUTS.T @ s, atol=1e-6)
    for table in (linear, sigmoid):
        for k in "₁₂₃":
            w, change = column(table, f"w{k}"), column(table, f"Δw{k}")
            np.testing.assert_allclose(w[1:], np.add(w, change)[:-1], atol=1e-6)


def test_hidden_weights_of_ones_own_are_found(folder):
    record = delta_rule.run(delta_rule.Config(weights=(0.5, 0.0, -0.5)))
    assert value(record.result, "linear neuron: found") < 1e-3
    assert value(record.result, "sigmoid neuron: found") < 1e-3


def test_a_rule_that_is_not_the_gradient_is_missed(folder, monkeypatch):
    linear, sigmoid = delta_rule.NEURONS.values()
    # The linear neuron's rule lacks the sigmoid's y (1 − y).
    neurons = {"linear": linear, "sigmoid": sigmoid._replace(rule=linear.rule)}
    monkeypatch.setattr(delta_rule, "NEURONS", neurons)
    figures = delta_rule.run(delta_rule.Config()).result["figures"]
    assert [figure["verdict"] for figure in figures[:2]] == ["met", "met"]
    assert figures[3]["verdict"] == "missed"


def test_a_rate_that_diverges_still_has_a_page(folder):
    record = delta_rule.run(delta_rule.Config(linear_rate=1.0))
    assert record.result["verdict"] == "not comparable"
    assert np.isnan(value(record.result, "linear neuron: found"))
    assert json.loads((record.folder / "result.json").read_text())["status"] == "finished"


def test_strong_and_weak_predictions(results):
    digits, layer = results["softmax"]["tables"]
    strong, weak = column(digits, "strong: p"), column(digits, "weak: p")
    assert strong[7] > 0.99
    assert sum(p > 0.15 for p in weak) == 3
    # By hand, z = (2, 1, 0): e², e and 1 over their sum.
    assert column(layer, "zᵢ = Wᵢx + bᵢ") == [2, 1, 0]
    e = np.exp([2, 1, 0])
    np.testing.assert_allclose(column(layer, "P(y = i | x)"), e / e.sum(), rtol=1e-6)


@pytest.mark.parametrize(
    ("temperature", "name", "low", "high"), [(5, "strong", 0, 0.5), (0.05, "weak", 0.9, 1)]
)
def test_the_temperature_makes_predictions_weak_or_strong(temperature, name, low, high, folder):
    result = softmax.run(softmax.Config(temperature=temperature)).result
    assert low < value(result, f"{name} prediction") < high


def test_softmax_without_its_sum_is_missed(folder, monkeypatch):
    monkeypatch.setattr(softmax.backprop, "softmax_jacobian", lambda y: jnp.diag(y * (1 - y)))
    verdicts = [f["verdict"] for f in softmax.run(softmax.Config()).result["figures"]]
    assert verdicts.count("missed") == 3  # zeros, rows that do not sum to 0, not jax.jacobian


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("activation_functions", ["--limit", "0"], "limit: expected a number above 0"),
        ("learning_rate", ["--normal", "nan"], "normal: expected a learning rate above 0 and at"),
        ("learning_rate", ["--too-large", "2"], "at most 1, got 2.0"),
        ("learning_rate", ["--steps", "21"], "steps: expected 1 to 20, got 21"),
        ("delta_rule", ["--weights", "1", "inf", "0"], "expected three finite numbers, got"),
        ("delta_rule", ["--sigmoid-rate", "-1"], "sigmoid_rate: expected a learning rate above 0"),
        ("delta_rule", ["--steps", "0"], "steps: expected 1 to 10,000, got 0"),
        ("softmax", ["--temperature", "0"], "temperature: expected a number above 0, got 0.0"),
        ("softmax", ["--x", "1", "nan"], "x: expected finite numbers"),
    ],
)
def test_bad_input_ends_with_one_message_and_leaves_nothing(
    name, arguments, message, folder, monkeypatch, capsys
):
    monkeypatch.setattr("sys.argv", [name, *arguments])
    with pytest.raises(SystemExit) as stopped:
        main(name, EXAMPLES[name].Config, EXAMPLES[name].run)
    assert stopped.value.code == 2
    assert re.search(f"^error: .*{message}", capsys.readouterr().err)
    assert not list(folder.iterdir())


def test_all_examples_are_on_one_page(folder, monkeypatch):
    assert list(EXAMPLES) == [name for name in worked_examples.EXAMPLES if name in EXAMPLES]
    monkeypatch.setattr(worked_examples, "EXAMPLES", {"learning_rate": learning_rate})
    worked_examples.run(worked_examples.Config(out=folder / "all"))
    page = (folder / "all" / "index.html").read_text()
    assert "Learning rates: normal and too large" in page
    assert "python -m experiments.worked_examples" in page
    assert (folder / "all" / "learning_rate" / "result.json").exists()


def test_a_missed_figure_is_exit_code_1(folder, monkeypatch):
    monkeypatch.setattr(worked_examples, "EXAMPLES", {"learning_rate": learning_rate})
    monkeypatch.setattr(learning_rate.backprop, "linear_delta_rule", lambda w, *_: 0.1 * w + 0.1)
    with pytest.raises(SystemExit) as stopped:
        worked_examples.run(worked_examples.Config())
    assert stopped.value.code == 1


def test_every_example_can_be_run_with_a_folder_alone():
    for name, example in worked_examples.EXAMPLES.items():
        assert isinstance(example.Config(), Output), name
