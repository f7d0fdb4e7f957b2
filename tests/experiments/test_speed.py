"""The experiments on speed run, and compare what computes the same."""

import json

import jax
import jax.numpy as jnp
import pytest

from experiments import any_flax_model, convolutions, speedrun, start_up
from experiments.compilation import kept_programs


@pytest.fixture
def figures(tmp_path):
    """From an experiment and its configuration to its figures, by name."""

    def figures(experiment, **config):
        out = tmp_path / "run"
        experiment.run(experiment.Config(out=out, **config))
        assert (out / "index.html").exists()
        found = json.loads((out / "result.json").read_text())["figures"]
        return {figure["name"]: figure for figure in found}

    return figures


def test_programs_are_compiled_once_and_found_from_then_on():
    def program(x):
        return 31 * x + 17

    counts = []
    for _ in range(2):
        with kept_programs() as count:
            jax.jit(program)(jnp.ones(7))
        counts.append(count)
        jax.clear_caches()
    assert counts[0]["compiled"] > 0
    assert counts[1]["compiled"] == 0
    assert counts[1]["found"] > 0


def test_a_speedrun_times_each_seed(figures, capsys):
    found = figures(speedrun, data="embedded", num_seeds=2, num_epochs=1)
    assert found["mean test accuracy"]["value"] > 0.2  # of ten classes
    assert found["mean seconds"]["value"] > 0
    assert capsys.readouterr().out.count("accuracy 0.") == 2


def test_a_speedrun_of_one_seed_has_no_spread():
    with pytest.raises(ValueError, match="expected at least 2, got 1"):
        speedrun.run(speedrun.Config(num_seeds=1))


def test_convolutions_are_compared_in_value_and_both_gradients(figures, monkeypatch, capsys):
    cases = {"small": convolutions.Case((2, 8, 8, 3), (3, 3), 4, dilation=2)}
    monkeypatch.setattr(convolutions, "CASES", cases)
    assert figures(convolutions, rounds=1)["slowest, ops / lax"]["bound"] == convolutions.MOST
    parts = ("value", "by images", "by kernel")
    out = capsys.readouterr().out
    assert all(f"small, {part}: " in out for part in parts)


def test_a_model_learns_the_same_with_either_operations(figures, monkeypatch):
    kind = "residual, batch statistics"
    monkeypatch.setattr(any_flax_model, "BLOCKS", {kind: any_flax_model.BLOCKS[kind]})
    found = figures(any_flax_model, batch_size=4, image_size=8, steps=1, rounds=1)
    assert found["  loss apart"]["value"] < 1e-5
    assert {f"times faster: {kind}, {way}" for way in any_flax_model.WAYS} < set(found)


def test_a_network_starts_cold_and_warm(figures, monkeypatch):
    name = "fashion_mnist_mlp"
    monkeypatch.setattr(start_up, "NETWORKS", {name: start_up.NETWORKS[name]})
    found = figures(start_up, rounds=1)
    assert {f"{name}, cold", f"{name}, warm"} == set(found)
    assert min(figure["value"] for figure in found.values()) > 0
