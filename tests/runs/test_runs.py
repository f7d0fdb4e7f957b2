"""Runs are listed and compared, and what is none is named."""

import json
import os

import pytest

from dl_jax.cli import main
from dl_jax.report import Result, write_json


def result(**changes) -> Result:
    made: Result = {
        "version": 1,
        "started": "2026-05-04T03:02:01+00:00",
        "experiment": "mnist_cnn",
        "title": "Digits",
        "description": "A network reads digits.",
        "command": "python -m experiments.mnist_cnn",
        "status": "finished",
        "verdict": "met",
        "figures": [],
        "data": None,
        "model": None,
        "times": {"data": 0.5, "compilation": 2.0, "training": 180.0, "evaluation": None},
        "config": {"seed": 0, "learning_rate": 0.001, "features": [32, 64], "out": "a"},
        "environment": {"devices": ["cpu"], "packages": {"jax": "0.10.2"}},
        "history": [],
    }
    return {**made, **changes}  # pyright: ignore[reportReturnType]


def figures(**values):
    keys = {"expected": None, "bound": None, "direction": ">=", "source": "", "verdict": None}
    return [{"name": name.replace("_", " "), "value": v, **keys} for name, v in values.items()]


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """Two runs, one of them within another folder, and one that has not ended."""
    monkeypatch.chdir(tmp_path)
    first = result(figures=figures(test_accuracy=0.9913, test_loss=0.0262))
    second = result(
        started="2026-05-03T00:00:00+00:00", verdict="missed", experiment="mnist_cnn",
        figures=figures(test_accuracy=0.9813, best_epoch=3.0),
        times={"data": 0.5, "compilation": 2.0, "training": 90.0},
        config={"seed": 1, "learning_rate": 0.001, "features": [32, 64], "out": "b"},
        environment={"devices": ["cpu"], "packages": {"jax": "0.11.0"}},
    )  # fmt: skip
    for name, one in (("first", first), ("all/second", second)):
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        write_json(folder / "config.json", one["config"])
        write_json(folder / "result.json", one)
    killed = tmp_path / "runs" / "killed"
    killed.mkdir()
    write_json(killed / "config.json", {"out": None})
    lines = [f'{{"seed": {seed}, "epoch": {epoch}}}' for epoch in (1, 2) for seed in (0, 1)]
    (killed / "metrics.jsonl").write_text("\n".join([*lines, '{"seed": 0, "ep']))
    os.utime(killed / "config.json", (0, 0))
    return tmp_path / "runs"


def test_runs_are_listed_the_oldest_first(runs, capsys):
    assert main(["runs"]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[2:] == [
        "runs/killed - 1970-01-01 00:00 not ended, 2 epochs - -",
        "runs/all/second mnist_cnn 2026-05-03 00:00 finished missed 92.5 s",
        "test accuracy 0.9813, best epoch 3.0000",
        "runs/first mnist_cnn 2026-05-04 03:02 finished met 182.5 s",
        "test accuracy 0.9913, test loss 0.0262",
    ]


def test_two_runs_side_by_side(runs, capsys):
    assert main(["runs", "runs/first", "runs/all/second"]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[:2] == ["A runs/first", "B runs/all/second"]
    assert "test accuracy 0.9913 0.9813 -0.0100" in lines
    assert "test loss 0.0262 - -" in lines
    assert "training 180 s 90.0 s -90.0 s" in lines
    assert "seed 0 1" in lines
    assert "jax 0.10.2 0.11.0" in lines
    assert not any(line.startswith(("learning_rate", "features", "out")) for line in lines)
    assert lines[-1] == "The same: experiment, data, data digest, devices."


def test_the_same_as_json(runs, tmp_path, capsys):
    assert main(["runs", "runs/first", "--json", "-"]) == 0
    (run,) = json.loads(capsys.readouterr().out)
    assert run["figures"] == {"test accuracy": 0.9913, "test loss": 0.0262}
    assert main(["runs", "runs/first", "runs/all/second", "--json", "both.json"]) == 0
    both = json.loads((tmp_path / "both.json").read_text())
    assert both["config"] == {"seed": [0, 1]}
    assert both["different_conditions"] == ["jax"]
    assert both["figures"]["test accuracy"][2] == pytest.approx(-0.01)


def test_a_number_that_is_not_finite_has_no_difference(runs, capsys):
    diverged = result(figures=figures(test_accuracy=float("nan")))
    write_json(runs / "first" / "result.json", diverged)
    assert main(["runs", "runs/first", "runs/all/second"]) == 0
    assert "test accuracy NaN 0.9813 -" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "expected a folder with runs, got none of that name"),
        (["runs/first", "runs"], "runs: expected a run's folder"),
        (["runs/first", "runs/killed"], "runs/killed: this run has not ended"),
        (["runs/first", "runs/newer"], "version 2, written by a newer dl_jax"),
        (["runs/first", "runs/damaged"], "damaged/result.json: no JSON, or a damaged file"),
        (["runs/first", "runs/other"], "one without command"),
        (["a", "b", "c"], "a folder to list, or two runs to compare, got 3"),
        (["runs", "--json", "nowhere/runs.json"], "expected a file in a folder that exists"),
    ],
)
def test_what_cannot_be_compared(arguments, message, runs, capsys):
    contents = {"newer": json.dumps(result(version=2)), "damaged": "{", "other": "{}"}
    for name, content in contents.items():
        (runs / name).mkdir()
        (runs / name / "result.json").write_text(content)
    assert main(["runs", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_the_others_are_listed_nevertheless(runs, capsys):
    (runs / "first" / "result.json").write_text("{")
    assert main(["runs"]) == 2
    said = capsys.readouterr()
    assert "first/result.json: no JSON" in said.err
    assert "runs/all/second" in said.out


@pytest.mark.parametrize(
    "damage",
    [{"figures": [3]}, {"figures": {}}, {"history": [{"loss": 1}]}, {"config": []}, {"times": 1}],
)
def test_a_damaged_result_leaves_the_others_in_the_list(damage, runs, capsys):
    folder = next(path.parent for path in runs.rglob("result.json"))
    result = json.loads((folder / "result.json").read_text())
    write_json(folder / "result.json", result | damage)
    assert main(["runs", str(runs)]) == 2
    out, err = capsys.readouterr()
    assert f"a damaged result: {next(iter(damage))} is not what a run writes" in err
    assert len(out.splitlines()) > 2


def test_a_run_that_is_going_on_has_not_ended(runs, capsys):
    folder = next(path.parent for path in runs.rglob("result.json"))
    result = json.loads((folder / "result.json").read_text())
    write_json(folder / "result.json", result | {"status": "running"})
    assert main(["runs", str(runs)]) == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if str(folder) in line)
    assert "mnist_cnn" in line
    assert "not ended, " in line


def test_no_runs_yet(tmp_path, capsys):
    assert main(["runs", str(tmp_path)]) == 0
    assert "no runs" in capsys.readouterr().out
