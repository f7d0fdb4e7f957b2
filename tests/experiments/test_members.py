"""Experiments with several seeds, swept settings and another precision; on embedded data."""

import json
import os
import platform
import subprocess
import sys

import numpy as np
import pytest

from experiments import (
    classic_cnns,
    fashion_mnist_mlp,
    fine_tuning,
    imdb_reviews,
    mnist_cnn,
    one_program,
    perceptron,
    training,
)
from experiments.fashion_mnist_mlp import Config
from experiments.options import command, main
from experiments.recording import Interrupted


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def lines(record):
    return [json.loads(row) for row in (record.folder / "metrics.jsonl").read_text().splitlines()]


def without_times(row):
    return {k: v for k, v in row.items() if "seconds" not in k}


def test_seeds_are_the_runs_of_the_following_seeds_and_their_mean_is_judged():
    alone = [fashion_mnist_mlp.run(Config("embedded", seed=s, num_epochs=2)) for s in (3, 4)]
    record = fashion_mnist_mlp.run(Config("embedded", seed=3, num_epochs=2, seeds=2))
    result = record.result
    for name in ("test accuracy", "test loss"):
        each, (mean,) = (
            [f["value"] for r in records for f in r.result["figures"] if f["name"] == name]
            for records in (alone, [record])
        )
        assert mean == pytest.approx(np.mean(each), rel=1e-5)
    figure = result["figures"][0]
    assert figure.get("spread", {})["n"] == 2
    assert [row["epoch"] for row in result["history"]] == [1, 2]
    assert set(next(iter(result.get("spread", ())))) == {
        "loss",
        "accuracy",
        "val_loss",
        "val_accuracy",
    }
    rows = lines(record)
    assert [(row["seed"], row["epoch"]) for row in rows] == [(3, 1), (4, 1), (3, 2), (4, 2)]
    expected = [one.result["history"][epoch] for epoch in range(2) for one in alone]
    for row, other in zip(rows, expected, strict=True):
        # Some ninety steps of float32, each of which rounds by 6e-8.
        assert row == pytest.approx({"seed": row["seed"], **without_times(other)}, rel=1e-5)
    assert "± " in (record.folder / "index.html").read_text()
    assert (record.folder / "weights.safetensors").exists()


def test_a_sweep_is_a_table_a_picture_and_the_best():
    sweep = ("learning_rate=1e-5,3e-3",)
    record = fashion_mnist_mlp.run(Config("embedded", num_epochs=2, seeds=2, sweep=sweep))
    (table,) = list(record.result.get("tables", ()))
    assert {"learning rate", "loss", "validation accuracy", "±"} == (
        set(table["columns"]) - {"accuracy", "validation loss"}
    )
    assert [row[0] for row in table["rows"]] == ["1e-05", "0.003"]
    (figure,) = record.result["figures"]
    assert figure["name"] == "best validation accuracy: learning rate 0.003"
    column = table["columns"].index("validation accuracy")
    assert figure["value"] == max(float(row[column] or 0) for row in table["rows"])
    assert (record.folder / "sweep.png").exists()
    rows = lines(record)
    assert [(row["learning_rate"], row["seed"]) for row in rows[:4]] == [
        (1e-5, 0), (1e-5, 1), (3e-3, 0), (3e-3, 1)
    ]  # fmt: skip
    alone = fashion_mnist_mlp.run(Config("embedded", num_epochs=2, learning_rate=3e-3))
    for row, other in zip(rows[2::4], alone.result["history"], strict=True):
        assert row["val_loss"] == pytest.approx(other["val_loss"], rel=1e-5)


def test_reviews_of_several_seeds_train_afresh_for_one_number_of_epochs():
    record = imdb_reviews.run(imdb_reviews.Config("embedded", num_epochs=2, seeds=2))
    assert all(f.get("spread", {})["n"] == 2 for f in record.result["figures"])


def test_bfloat16_keeps_float32_parameters_and_learns_the_same():
    configs = (
        Config("embedded", num_epochs=2),
        Config("embedded", num_epochs=2, precision="bfloat16"),
    )
    runs = [fashion_mnist_mlp.run(config).result for config in configs]
    wide, narrow = (run["history"][-1]["val_loss"] for run in runs)
    assert wide != narrow
    # bfloat16 rounds each product by up to 2^-9; a mean over hundreds of images by less.
    assert narrow == pytest.approx(wide, rel=0.05)


def test_float64_computes_in_float64():
    configs = (
        Config("embedded", num_epochs=1, precision="float64"),
        Config("embedded", num_epochs=1, precision="float64", gradients="hand"),
        Config("embedded", num_epochs=1, gradients="hand"),
    )
    runs = [fashion_mnist_mlp.run(config) for config in configs]
    one, other, single = (run.result["figures"][1]["value"] for run in runs)
    assert one == pytest.approx(other, rel=1e-12)
    assert runs[0].result["environment"]["matmul_precision"] == "float64"
    assert one == pytest.approx(single, rel=1e-4)


def test_a_result_names_precision_and_determinism():
    result = fashion_mnist_mlp.run(Config("embedded", num_epochs=1, deterministic=True)).result
    assert result["environment"]["matmul_precision"] == "default, float32"
    assert result["environment"]["deterministic"] is True  # as a CPU always is
    assert result["command"].endswith("--deterministic --num-epochs 1")


def test_flags_are_set_before_a_device_is_used():
    code = (
        "import sys; from experiments.fashion_mnist_mlp import *; from jax._src import xla_bridge;"
        "sys.argv = ['x', '--data', 'embedded', '--deterministic'];"
        "import os, jax; main('x', Config, lambda config: print("
        "xla_bridge.backends_are_initialized(), jax.config.read('jax_cpu_enable_async_dispatch'),"
        "os.environ['XLA_FLAGS']))"
    )
    environment = {**os.environ, "XLA_FLAGS": "--xla_cpu_enable_fast_math=false"}
    environment.pop("JAX_CPU_ENABLE_ASYNC_DISPATCH", None)
    place = os.path.dirname(os.path.dirname(fashion_mnist_mlp.__file__))
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=place, capture_output=True, text=True
    )
    assert done.stdout.split() == [
        "False", str(platform.libc_ver()[0] != "glibc"),
        "--xla_cpu_enable_fast_math=false", "--xla_gpu_deterministic_ops=true",
        "--xla_gpu_enable_command_buffer=+CONVOLUTION",
    ], done.stderr  # fmt: skip


def test_the_command_repeats_seeds_sweeps_and_flags():
    config = Config(seeds=4, sweep=("learning_rate=1e-4, 1e-3",), deterministic=True)
    assert command("x", config) == (
        "python -m experiments.x --seeds 4 --sweep 'learning_rate=1e-4, 1e-3' --deterministic"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seeds", "0"], "seeds: expected at least 1, got 0"),
        (["--sweep", "features=1,2"], "features cannot be swept"),
        (["--precision", "bfloat16", "--gradients", "hand"], "use --gradients autodiff"),
    ],
)
def test_bad_settings_end_with_one_message_and_leave_nothing(
    arguments, message, folder, monkeypatch, capsys
):
    monkeypatch.setattr("sys.argv", ["fashion_mnist_mlp", "--data", "embedded", *arguments])
    with pytest.raises(SystemExit) as stopped:
        main("fashion_mnist_mlp", Config, fashion_mnist_mlp.run)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
    assert not (folder / "runs").exists()


def test_seeds_that_go_wrong_end_with_step_and_layer_of_the_first(folder, monkeypatch, capsys):
    said = {}
    for seeds in ("1", "2"):
        options = ["--data", "embedded", "--num-epochs", "1", "--seeds", seeds]
        monkeypatch.setattr("sys.argv", ["fashion_mnist_mlp", *options, "--learning-rate", "1e30"])
        with pytest.raises(SystemExit, match="1"):
            main("fashion_mnist_mlp", Config, fashion_mnist_mlp.run)
        said[seeds] = capsys.readouterr().err
    alone, _, _ = said["1"].partition(". No checkpoint")
    assert alone.startswith("error: step 2, in epoch 1: not finite is the output of ")
    said = said["2"]
    assert said.startswith(f"{alone}, with seed 0; by then the loss of 2 of 2 seeds, 0, 1. No ch")
    assert "No checkpoint; to leave such updates out, begin again with\n  python -m " in said
    assert said.endswith(" --seeds 2 --num-epochs 1 --learning-rate 1e+30 --nonfinite skip\n")
    assert not list(folder.rglob("result.json"))  # as of one seed


def test_updates_of_several_seeds_are_left_out():
    settings = {"num_epochs": 1, "learning_rate": 1e30, "nonfinite": "skip"}
    alone = fashion_mnist_mlp.run(Config("embedded", **settings)).result["history"]
    record = fashion_mnist_mlp.run(Config("embedded", seeds=2, **settings))
    first = lines(record)[0]
    assert first["skipped"] == alone[0]["skipped"] > 0
    assert first["loss"] == pytest.approx(alone[0]["loss"], rel=1e-5)


@pytest.mark.parametrize("module", [fashion_mnist_mlp, imdb_reviews, mnist_cnn, perceptron,
                                    fine_tuning, classic_cnns, one_program])  # fmt: skip
def test_a_batch_divides_over_eight_devices(module):
    assert module.Config().batch_size % 8 == 0


def test_ctrl_c_between_epochs_of_several_seeds_keeps_those_that_are_over(monkeypatch):
    add_means = training.add_means

    def stop(record, seeds, rows):
        if rows[0]["epoch"] == 3:
            raise KeyboardInterrupt
        add_means(record, seeds, rows)

    monkeypatch.setattr("experiments.training.add_means", stop)
    with pytest.raises(Interrupted) as stopped:
        fashion_mnist_mlp.run(Config("embedded", seeds=2, num_epochs=3))
    result = json.loads((stopped.value.record.folder / "result.json").read_text())
    assert result["status"] == "interrupted"
    assert [row["epoch"] for row in result["history"]] == [1, 2]
    assert len(result["spread"]) == 2


def test_a_sweep_goes_on_with_what_is_finite(capsys):
    sweep = ("learning_rate=1e-3,1e30",)
    record = fashion_mnist_mlp.run(Config("embedded", num_epochs=1, sweep=sweep))
    (line,) = (x for x in capsys.readouterr().out.splitlines() if x.startswith("epoch "))
    assert line.endswith(", 1 of 2 not finite")
    assert "nan" not in line
    assert record.result["figures"][0]["name"] == "best validation accuracy: learning rate 0.001"
