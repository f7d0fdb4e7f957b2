"""The experiments on speed run, and compare what computes the same."""

import json
import shutil
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dl_jax.train import device_mesh
from experiments import any_flax_model, convolutions, one_program, scaling, speedrun, start_up
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
        jax.clear_caches()  # what a test before this one has compiled was not kept
        with kept_programs() as count:
            jax.jit(program)(jnp.ones(7))
        counts.append(count)
    assert counts[0]["compiled"] > 0
    assert counts[1]["compiled"] == 0
    assert counts[1]["found"] > 0


def test_members_of_one_program_take_none_from_the_cache(figures, monkeypatch):
    compiled, asked = [], []

    def result(*shape):
        """Compile a program, with an eye on whether the cache is asked for it."""
        with kept_programs() as counts:
            jax.jit(lambda x: x * (len(compiled) + 2))(jnp.ones(5))
        compiled.append(None)
        asked.append(counts.total())
        return None, {"loss": np.ones(shape)}

    monkeypatch.setattr(one_program, "make_train", lambda *_: lambda key: result(1))
    ensemble = lambda *_, loop: lambda keys, rates: result(len(keys), 1)  # noqa: E731
    monkeypatch.setattr(one_program, "make_ensemble", ensemble)
    figures(one_program, data="embedded", num_rates=2)
    assert asked == [0] * 4


def test_a_speedrun_times_each_seed(figures, capsys):
    found = figures(speedrun, data="embedded", seeds=2, num_epochs=1)
    assert found["mean test accuracy"]["value"] > 0.2  # of ten classes
    assert found["mean seconds"]["value"] > 0
    assert capsys.readouterr().out.count("accuracy 0.") == 2


def test_a_speedrun_of_one_seed_has_no_spread():
    with pytest.raises(ValueError, match="expected at least 2, got 1"):
        speedrun.run(speedrun.Config(seeds=1))


def test_a_speedrun_s_sweep_is_the_runs_at_each_rate_and_says_which_diverged(figures, tmp_path):
    def each_seed(**options):
        figures(speedrun, data="embedded", seeds=2, num_epochs=1, **options)
        result = json.loads((tmp_path / "run" / "result.json").read_text())
        shutil.rmtree(tmp_path / "run")
        return result

    swept = each_seed(sweep=("learning_rate=8e-3,4e-3,1e30",))
    alone = each_seed(learning_rate=4e-3)
    mine = [row[1:3] for row in swept["tables"][0]["rows"] if row[0] == "0.004"]
    assert mine == [row[:2] for row in alone["tables"][0]["rows"]]
    assert [row[2] for row in swept["tables"][0]["rows"][4:]] == ["NaN"] * 2
    (best,) = [row["name"] for row in swept["figures"] if "best" in row["name"]]
    assert best.startswith("best test accuracy: learning rate 0.00")


def test_convolutions_are_compared_in_value_and_both_gradients(figures, monkeypatch, capsys):
    cases = {"small": convolutions.Case((2, 8, 8, 3), (3, 3), 4, dilation=2)}
    monkeypatch.setattr(convolutions, "CASES", cases)
    assert figures(convolutions, rounds=1)["slowest, ops / lax"]["bound"] == convolutions.MOST
    parts = ("value", "by images", "by kernel")
    out = capsys.readouterr().out
    assert all(f"small, {part}: " in out for part in parts)


@pytest.mark.parametrize(
    ("spread", "said"), [(0.02, "0.50 [0.49, 0.51]"), (0.1, "0.50 [0.45, 0.55] ?")]
)
def test_a_convolution_s_ratio_has_its_spread_and_a_mark_where_it_is_noisy(
    figures, monkeypatch, capsys, tmp_path, spread, said
):
    monkeypatch.setattr(convolutions, "CASES", {"one": None})
    monkeypatch.setattr(convolutions, "_parts", lambda case: {"value": None})
    ours = [0.5 - spread, 0.5, 0.5 + spread]
    monkeypatch.setattr(convolutions, "_in_turns", lambda *_: ([1.0] * 3, ours))
    figures(convolutions)
    (table,) = json.loads((tmp_path / "run" / "result.json").read_text())["tables"]
    cell = table["rows"][0][2]
    assert cell == said
    assert f"one, value: {said} of lax's time" in capsys.readouterr().out


def test_convolutions_are_drawn_the_same_each_time(figures, monkeypatch):
    """A share of them, of which no bound is expected: the settings are not those of the claim."""
    seen = []
    monkeypatch.setattr(convolutions, "_parts", lambda case: seen.append(case) or {"value": None})
    monkeypatch.setattr(convolutions, "_in_turns", lambda *_: ([1.0], [1.0 + len(seen) % 2]))
    found = figures(convolutions, drawn=4)
    assert found["share more than a tenth slower"]["value"] == 0.5
    assert found["slowest, ops / lax"]["verdict"] == "not comparable"
    assert seen == list(convolutions._drawn(4).values())
    assert len(set(seen)) == 4
    for n, height, width, channels in (case.images for case in seen):
        assert 4 * n * height * width * channels < 200e6


@pytest.mark.parametrize(
    ("experiment", "wrong", "message"),
    [
        (convolutions, {"rounds": 0}, "rounds: expected at least 1, got 0"),
        (convolutions, {"drawn": -1}, "drawn: expected at least 0, got -1"),
        (start_up, {"rounds": 0}, "rounds: expected at least 1, got 0"),
        (any_flax_model, {"steps": 0}, "steps: expected at least 1, got 0"),
        (any_flax_model, {"image_size": 0}, "image_size: expected at least 1, got 0"),
    ],
)
def test_what_cannot_be_timed(experiment, wrong, message):
    with pytest.raises(ValueError, match=message):
        experiment.run(experiment.Config(**wrong))


def test_a_model_learns_the_same_with_either_operations(figures, monkeypatch):
    kind = "residual, batch statistics"
    monkeypatch.setattr(any_flax_model, "BLOCKS", {kind: any_flax_model.BLOCKS[kind]})
    found = figures(any_flax_model, batch_size=4, image_size=8, steps=1, rounds=1)
    assert found["  loss apart"]["value"] < 1e-5
    assert {f"times faster: {kind}, {way}" for way in any_flax_model.WAYS} < set(found)


def stop_at(monkeypatch, module, name, number, answer=None):
    """The call of that number, from 1, is interrupted; the others give the answer, if any."""
    call, calls = getattr(module, name), []

    def stopped(*arguments):
        calls.append(0)
        if len(calls) == number:
            raise KeyboardInterrupt
        return call(*arguments) if answer is None else answer

    monkeypatch.setattr(module, name, stopped)


@pytest.mark.parametrize(
    ("experiment", "part", "number", "answer", "options"),
    [
        (speedrun, "evaluate", 4, {"accuracy": 0.9}, {"data": "embedded", "num_epochs": 1}),
        (convolutions, "_parts", 3, {}, {}),
        (any_flax_model, "_in_turns", 3, (([2.0, 2.0], [1.0, 1.0]), [1.0, 1.0]), {}),
    ],
)
def test_ctrl_c_leaves_the_rows_so_far(
    experiment, part, number, answer, options, monkeypatch, tmp_path, capsys
):
    stop_at(monkeypatch, experiment, part, number, answer)
    trained = lambda *_, loop: lambda key, hyperparams: (None, {"loss": np.ones((1, 1))})  # noqa: E731
    monkeypatch.setattr(speedrun, "make_ensemble", trained)
    out = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        experiment.run(experiment.Config(out=out, **options))
    result = json.loads((out / "result.json").read_text())
    assert (result["status"], result["verdict"]) == ("interrupted", "interrupted")
    assert [len(table["rows"]) for table in result["tables"]] == [2]
    page = (out / "index.html").read_text()
    assert "This run was interrupted before its end; the page shows what was finished" in page
    assert f"Page: {out / 'index.html'}" in capsys.readouterr().out


def test_ctrl_c_before_the_first_row_leaves_no_folder(monkeypatch, tmp_path):
    stop_at(monkeypatch, convolutions, "_parts", 1)
    with pytest.raises(KeyboardInterrupt):
        convolutions.run(convolutions.Config(out=tmp_path / "run"))
    assert list(tmp_path.iterdir()) == []


def test_a_network_starts_cold_and_warm(figures, monkeypatch):
    name = "fashion_mnist_mlp"
    monkeypatch.setattr(start_up, "NETWORKS", {name: start_up.NETWORKS[name]})
    found = figures(start_up, rounds=1)
    assert {f"{name}, cold", f"{name}, warm"} == set(found)
    assert min(figure["value"] for figure in found.values()) > 0


def test_a_start_is_timed_with_byte_code_and_its_own_programs(monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "elsewhere")
    monkeypatch.setattr(
        start_up,
        "_PROGRAM",
        f"""
import os
assert os.environ["PYTHONPYCACHEPREFIX"] == "{tmp_path}"
assert os.environ["DL_JAX_CACHE_DIR"] == "programs"
assert not {{"PYTHONDONTWRITEBYTECODE", "JAX_COMPILATION_CACHE_DIR"}} & set(os.environ)
print(2.5)
""",
    )
    assert start_up._start("mnist_cnn", str(tmp_path), "programs") == 2.5


@pytest.mark.parametrize("run_as", ["-m", "-c"])
def test_a_run_looks_for_no_garbage_among_what_it_imports(run_as):
    program = f"""
import gc, sys
sys.argv = ["{run_as}"]
import experiments
passes = []  # from here on: what there was before has been counted by then
gc.callbacks.append(lambda phase, info: passes.append(phase))
from experiments import mnist_cnn, options
is_run = "{run_as}" == "-m"
assert (not passes) == is_run
options.set_up_process()
assert gc.isenabled()
assert (gc.get_freeze_count() > 100_000) == is_run
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_scaling_sets_steps_beside_its_model(figures, monkeypatch, capsys):
    monkeypatch.setattr(scaling, "default_mesh", device_mesh)  # of the one device that there is
    networks = {"fashion_mnist_mlp": scaling.NETWORKS["fashion_mnist_mlp"]}
    monkeypatch.setattr(scaling, "NETWORKS", networks)
    assert "b, MB/s" in figures(scaling, steps=1, repeats=1)
    assert "by the model" in capsys.readouterr().out


def test_scaling_needs_two_devices():
    with pytest.raises(ValueError, match="expected at least 2 devices, got 1"):
        scaling.run(scaling.Config())
