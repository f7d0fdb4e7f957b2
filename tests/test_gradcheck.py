"""`dl-jax gradcheck`: what it prints, what it writes, and what makes it fail."""

import json
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dl_jax.backprop import Network, mlp
from dl_jax.backprop.proof import DIFFERENCES_BOUND, MISTAKES, RULES, Leaf, Mistake, make_mistake
from dl_jax.cli import main
from dl_jax.gradcheck import NETWORKS, Checked, Outcome, check_network, networks
from dl_jax.gradcheck.command import as_text
from dl_jax.gradcheck.evaluate import evaluate
from dl_jax.models import CATALOG, create


def broken(network: Network, change) -> Network:
    """The network with something done to its gradients."""
    return network._replace(backward=lambda *way: change(network.backward(*way)))


@pytest.fixture
def one_mistake(monkeypatch):
    monkeypatch.setattr(
        "dl_jax.gradcheck.check.MISTAKES", [m for m in MISTAKES if m.rule == "relu"][:1]
    )


def replace_rule(monkeypatch, name, derivation):
    monkeypatch.setitem(RULES, name, RULES[name]._replace(derivation=derivation))


def test_the_table_of_a_rule_and_a_network(capsys, one_mistake):
    assert main(["gradcheck", "--rule", "relu", "--network", "perceptron"]) == 0
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert "Restricted linear unit (ReLU)" in lines
    (rule,) = [line.split() for line in lines if line.startswith("  relu ")]
    assert rule[1] == "4x3"
    assert rule[-1] == "proved"
    assert float(rule[2]) <= 1e-12
    assert 0 < float(rule[3]) <= 1e-7
    (kernel,) = [line.split() for line in lines if line.startswith("  Dense_0/kernel ")]
    assert kernel[1] == "2x1"
    assert kernel[-1] == "proved"
    assert lines[-2].startswith("2 of 2 proved in float64")
    assert lines[-1] == "1 mistakes injected, 1 caught."
    assert max(map(len, lines)) <= 100
    assert printed.err == ""  # no progress bar where nobody would see it


def test_json_holds_every_leaf_and_nothing_else_is_on_stdout(capsys):
    arguments = ["gradcheck", "--rule", "dense", "--network", "perceptron", "--json", "-"]
    assert main(arguments) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["passed"], found["precision"]) == (True, "float64")
    assert found["versions"]["jax"] == jax.__version__
    assert found["device"]["platform"] == jax.default_backend()
    (rule,) = found["rules"]
    assert (rule["slide"], rule["verdict"]) == ("Feed Forward Network", "proved")
    names = ["output", "input 0", "input 1", "input 2"]
    assert [(leaf["case"], leaf["name"]) for leaf in rule["leaves"]] == [
        (case, name) for case in range(3) for name in names
    ]
    for leaf in rule["leaves"]:
        assert 0 <= leaf["autodiff"] <= leaf["autodiff_bound"] == 1e-12
        if leaf["name"] == "output":
            assert leaf["differences"] is None
        else:
            assert 0 < leaf["differences"] <= leaf["differences_bound"] == 1e-7
    (network,) = found["networks"]
    assert network["inputs"] == [4, 2]
    leaves = {leaf["name"]: leaf["shape"] for leaf in network["leaves"]}
    assert leaves == {"loss": [], "logits": [4, 1], "Dense_0/kernel": [2, 1], "Dense_0/bias": [1]}
    mistakes = found["mistakes"]
    assert mistakes["injected"] == mistakes["caught"] == len(mistakes["list"])
    assert [m["what"] for m in mistakes["list"]] == [m.what for m in MISTAKES if m.rule == "dense"]


def test_without_options_it_checks_everything(monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(
        "dl_jax.gradcheck.command.gradcheck",
        lambda *what: asked.append(what) or Outcome([], [], []),
    )
    assert main(["gradcheck"]) == 0
    assert main(["gradcheck", "--rule", "relu", "tanh", "--rule", "relu"]) == 0
    assert main(["gradcheck", "--network", "imdb_bow", "--precision", "float32"]) == 0
    assert asked == [
        (list(RULES), list(NETWORKS), "float64"),
        (["relu", "tanh"], [], "float64"),
        ([], ["imdb_bow"], "float32"),
    ]
    assert set(NETWORKS) == {"perceptron", "fashion_mlp", "mnist_cnn", "imdb_bow"} < set(CATALOG)


def test_a_broken_rule_fails_and_its_mistakes_are_left_out(monkeypatch, capsys, tmp_path):
    (mistake, *_) = [m for m in MISTAKES if m.rule == "relu"]
    replace_rule(monkeypatch, "relu", make_mistake(mistake))
    path = tmp_path / "gradcheck.json"
    assert main(["gradcheck", "--rule", "relu", "--json", str(path)]) == 1
    printed = capsys.readouterr().out
    assert re.search(r"relu, case \d, input 0 \dx\d: autodiff \S+ \(bound 1.0e-12\), diff", printed)
    found = json.loads(path.read_text())
    assert (found["passed"], found["rules"][0]["verdict"]) == (False, "failed")
    verdicts = {(leaf["name"], leaf["verdict"]) for leaf in found["rules"][0]["leaves"]}
    assert verdicts == {("output", "proved"), ("input 0", "failed")}
    assert found["mistakes"] == {"injected": 0, "caught": 0, "list": []}


@pytest.mark.parametrize(
    ("derivation", "said"),
    [
        (lambda positive, d_y: (jnp.where(positive, d_y, jnp.nan),), "autodiff nan"),
        (lambda positive, d_y: 1 / 0, "case 0: ZeroDivisionError: division by zero"),
    ],
)
def test_a_rule_that_gives_nan_or_raises_fails_and_the_next_is_checked(
    monkeypatch, capsys, tmp_path, derivation, said
):
    replace_rule(monkeypatch, "relu", derivation)
    monkeypatch.setattr("dl_jax.gradcheck.check.MISTAKES", ())
    path = tmp_path / "gradcheck.json"
    assert main(["gradcheck", "--rule", "relu", "flatten", "--json", str(path)]) == 1
    assert said in capsys.readouterr().out
    found = json.loads(path.read_text(), parse_constant=pytest.fail)
    assert [rule["verdict"] for rule in found["rules"]] == ["failed", "proved"]


@pytest.mark.parametrize(
    ("right", "said"),
    [
        ("jnp.where(positive, d_y, 0)", "not caught: relu, nothing"),
        ("not there", "not caught: relu, nothing: ValueError: mistake 'nothing' of relu"),
    ],
)
def test_a_mistake_that_survives_or_cannot_be_made_fails(monkeypatch, capsys, right, said):
    harmless = Mistake("relu", "nothing", right, "jnp.where(positive, d_y, 0 * d_y)")
    monkeypatch.setattr("dl_jax.gradcheck.check.MISTAKES", [harmless])
    assert main(["gradcheck", "--rule", "relu"]) == 1
    printed = capsys.readouterr().out
    assert said in printed
    assert "1 mistakes injected, 0 caught." in printed
    assert "1 of 1 proved" in printed


def test_names_that_there_are_not_give_those_that_exist(capsys, tmp_path):
    assert main(["gradcheck", "--rule", "relu", "reul"]) == 2
    printed = capsys.readouterr().err
    assert "unknown rule 'reul'" in printed
    assert "softmax_cross_entropy" in printed
    assert main(["gradcheck", "--network", "resnet"]) == 2
    assert "'resnet'; the networks are perceptron, fashion_mlp" in capsys.readouterr().err
    with pytest.raises(ValueError, match="the networks are perceptron, fashion_mlp"):
        check_network("resnet")
    assert main(["gradcheck", "--json", str(tmp_path / "nowhere" / "x.json")]) == 2
    assert "a folder that exists" in capsys.readouterr().err


def test_an_interruption_gives_130_and_leaves_the_old_file(monkeypatch, tmp_path):
    def interrupt(*_):
        raise KeyboardInterrupt

    path = tmp_path / "gradcheck.json"
    path.write_text("old")
    monkeypatch.setattr("dl_jax.gradcheck.check.prove", interrupt)
    assert main(["gradcheck", "--rule", "relu", "--json", str(path)]) == 130
    assert path.read_text() == "old"


def test_float32_of_a_rule_and_a_network(capsys, one_mistake):
    arguments = ["gradcheck", "--rule", "relu", "--network", "perceptron", "--precision", "float32"]
    assert main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    (rule,) = [line.split() for line in lines if line.startswith("  relu ")]
    assert 0 < float(rule[2]) < float(rule[3]) < 1e-5
    assert "2 of 2 proved in float32" in lines[-2]


def test_the_forward_pass_of_the_float32_check_is_exact():
    leaves = {leaf.name: leaf for leaf in check_network("mnist_cnn", "float32")}
    assert leaves["logits"].autodiff == 0
    assert all(leaf.passed and leaf.differences is None for leaf in leaves.values())
    # taps times kernels, and positions times examples, of each layer; then the loss
    length = (9 * 32 + 4 * 26**2) + (9 * 64 + 4 * 11**2) + (10 + 4)
    assert leaves["loss"].bound == 4 * (length + 8 * 4) * 2.0**-24


def test_what_float32_errors_are_relative_to():
    x, w = np.array([[1.0, -2], [0, 3]]), np.array([[0.5], [0.25]])
    params, t = {"Dense_0": {"kernel": w, "bias": np.zeros(1)}}, np.array([1, 0])
    derivation, key = NETWORKS["perceptron"], jax.random.key(0)
    with jax.enable_x64(True):
        params, x_, t_ = jax.tree.map(jnp.asarray, (params, x, t))
        found = evaluate(create("perceptron"), *derivation, "float32", params, x_, t_, key)
    y = 1 / (1 + np.exp(-x @ w))
    expected = np.abs(x).T @ (y + t[:, None]) / 2  # each term of x.T @ (y - t) / 2 made positive
    np.testing.assert_allclose(np.asarray(found.scales["Dense_0"]["kernel"]), expected)


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_a_broken_network_fails(monkeypatch, precision):
    def change(gradients):
        first = gradients["Dense_0"]
        return gradients | {"Dense_0": first | {"kernel": 1.001 * first["kernel"]}}

    right = NETWORKS["fashion_mlp"]
    monkeypatch.setitem(NETWORKS, "fashion_mlp", right._replace(network=broken(mlp(), change)))
    failed = [leaf for leaf in check_network("fashion_mlp", precision) if not leaf.passed]
    assert [leaf.name for leaf in failed] == ["Dense_0/kernel"]
    assert failed[0].autodiff > failed[0].bound
    if precision == "float64":
        assert failed[0].differences is not None
        assert failed[0].differences > DIFFERENCES_BOUND


def test_a_broken_network_in_the_command(monkeypatch, capsys):
    right = NETWORKS["perceptron"]
    missing = broken(right.network, lambda gradients: {})
    monkeypatch.setitem(NETWORKS, "perceptron", right._replace(network=missing))
    assert main(["gradcheck", "--network", "perceptron"]) == 1
    printed = capsys.readouterr().out
    assert "perceptron, case 0: " in printed
    assert "0 of 1 proved" in printed
    assert "mistakes" not in printed


def test_where_a_kink_is_near_everything_is_drawn_anew(monkeypatch):
    draw, draws = networks._draw, []

    def first_at_a_kink(*args, **kwargs):
        params, inputs, targets = draw(*args, **kwargs)
        draws.append(0)
        if len(draws) == 1:  # every ReLU is at 0
            inputs, params = 0 * inputs, jax.tree.map(lambda p: p * (p.ndim > 1), params)
        return params, inputs, targets

    monkeypatch.setattr(networks, "_draw", first_at_a_kink)
    assert all(leaf.passed for leaf in check_network("fashion_mlp"))
    assert len(draws) == 2


def test_where_a_kink_is_always_near_it_is_the_kink_that_is_reported(monkeypatch, capsys):
    draw = networks._draw

    def at_a_kink(*args, **kwargs):
        params, inputs, targets = draw(*args, **kwargs)
        return jax.tree.map(lambda p: p * (p.ndim > 1), params), 0 * inputs, targets

    monkeypatch.setattr(networks, "_draw", at_a_kink)
    assert main(["gradcheck", "--network", "fashion_mlp"]) == 1
    printed = capsys.readouterr().out
    assert "case 0: ArithmeticError: a kink was near in each of 5 draws" in printed
    assert "autodiff" not in printed.split("0 of 1 proved")[1]


def test_whether_there_is_a_kink_does_not_depend_on_the_derivation(monkeypatch):
    draw, draws = networks._draw, []
    monkeypatch.setattr(networks, "_draw", lambda *a, **k: draws.append(0) or draw(*a, **k))
    right = NETWORKS["perceptron"]
    tiny = broken(right.network, lambda gradients: jax.tree.map(lambda g: 1e-9 * g, gradients))
    monkeypatch.setitem(NETWORKS, "perceptron", right._replace(network=tiny))
    leaves = {leaf.name: leaf for leaf in check_network("perceptron")}
    assert (leaves["Dense_0/bias"].differences or 0) > 0.9
    assert len(draws) == 1


def test_the_table_of_all_rules_fits_a_hundred_columns():
    shapes = (1, 10, 10, 1), (3, 3, 3, 3), (3,)
    leaves = [Leaf(f"input {i}", shape, 1e-16, 1e-11, 1e-12) for i, shape in enumerate(shapes)]
    text = as_text(Outcome([Checked(name, [leaves]) for name in RULES], [], []), "float64")
    assert max(map(len, text.splitlines())) <= 100
