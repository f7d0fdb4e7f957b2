"""The experiments end to end on embedded data, and what they leave when something goes wrong."""

import dataclasses
import json
import re
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from dl_jax import data
from dl_jax.backprop import layers
from dl_jax.train import Examples
from experiments import (
    fashion_mnist_mlp,
    hand_gradients,
    imdb_reviews,
    mnist_cnn,
    perceptron,
    reproduce,
)
from experiments import sources as sources_module
from experiments.options import Options, command, main
from experiments.sources import examples, held_out, obtain
from experiments.two_ways import Race

RUNS = {
    "perceptron": (perceptron, perceptron.Config(num_epochs=2)),
    "fashion_mnist_mlp": (fashion_mnist_mlp, fashion_mnist_mlp.Config("embedded", num_epochs=1)),
    "mnist_cnn": (mnist_cnn, mnist_cnn.Config("embedded", num_epochs=1)),
    "imdb_reviews": (imdb_reviews, imdb_reviews.Config("embedded", num_epochs=2)),
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", RUNS)
def test_an_experiment_leaves_a_run_folder(name, folder, capsys):
    experiment, config = RUNS[name]
    experiment.run(config)
    run = folder / "runs" / f"{name}-1"
    result = json.loads((run / "result.json").read_text())
    assert result["status"] == "finished"
    assert result["data"]["embedded"] == (name != "perceptron")
    # Other data or, as here for all of them, another number of epochs.
    assert {figure["verdict"] for figure in result["figures"]} <= {"not comparable", None}
    assert "Not the lecture's settings: num_epochs" in result["description"]
    assert set(result["times"]) == {"data", "compilation", "training", "evaluation", "epoch"}
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert rows == result["history"]
    assert len(rows) == config.num_epochs
    assert json.loads((run / "config.json").read_text())["num_epochs"] == config.num_epochs
    page = (run / "index.html").read_text()
    assert ("was asked for embedded data" in page) == (name != "perceptron")
    assert (run / "history.png").read_bytes().startswith(b"\x89PNG")
    assert f"runs/{name}-1" in capsys.readouterr().out


def test_gradients_by_hand_train_the_same_network(folder):
    experiment, config = RUNS["fashion_mnist_mlp"]
    automatic = experiment.run(config).result
    by_hand = experiment.run(dataclasses.replace(config, gradients="hand")).result
    assert by_hand["command"].endswith("--gradients hand")
    assert "gradients" not in by_hand["description"]  # the lecture's settings still
    for one, other in zip(automatic["history"], by_hand["history"], strict=True):
        # Some dozen steps of float32, each of which rounds by 6e-8.
        assert one["val_loss"] == pytest.approx(other["val_loss"], rel=1e-5)


def test_a_broken_derivation_does_not_train_the_same_network(folder, monkeypatch):
    dense_bwd = layers.dense_bwd

    def twice(residuals, d_z):
        d_x, d_w, d_b = dense_bwd(residuals, d_z)
        return d_x, 2 * d_w, 2 * d_b

    monkeypatch.setattr(layers, "dense_bwd", twice)  # which Adam does not see
    monkeypatch.setattr(hand_gradients, "NETWORKS", {"mlp": ("fashion_mnist", fashion_mnist_mlp)})
    result = hand_gradients.run(hand_gradients.Config("embedded")).result
    assert result["figures"][0]["verdict"] == "missed"


def test_both_ways_to_gradients_are_one_loss_curve(folder, monkeypatch):
    networks = {
        name: hand_gradients.NETWORKS[name] for name in ("fashion_mnist_mlp", "imdb_reviews")
    }
    monkeypatch.setattr(hand_gradients, "NETWORKS", networks)
    record = hand_gradients.run(hand_gradients.Config("embedded", precision="float64"))
    same = [f for f in record.result["figures"] if "difference" in f["name"]]
    assert [figure["verdict"] for figure in same] == ["met"] * 4
    assert [picture.path.name for picture in record.pictures] == [f"{n}.png" for n in networks]
    (table,) = list(record.result.get("tables", ()))
    assert [row[2] for row in table["rows"]] == [1437 // 32, 9000 // 512]  # whole batches


@pytest.mark.parametrize("last", [(1.0, np.nan), (np.nan, 1.0)])
def test_a_way_that_ends_in_nan_is_not_the_same(last):
    losses = np.ones((2, 3))
    race = Race(np.arange(1.0, 4), losses, losses, np.array(last), 0.0)
    assert np.isnan(race.losses_apart())


def test_both_ways_are_one_curve_for_each_seed_at_each_learning_rate(folder, monkeypatch):
    monkeypatch.setattr(hand_gradients, "NETWORKS", {"mlp": ("fashion_mnist", fashion_mnist_mlp)})
    races = []
    race = hand_gradients.race
    monkeypatch.setattr(
        hand_gradients, "race", lambda *a, **b: races.append(race(*a, **b)) or races[-1]
    )
    swept = hand_gradients.Config("embedded", seeds=2, sweep=("learning_rate=1e-3,1e-2",))
    record = hand_gradients.run(swept)
    (table,) = list(record.result.get("tables", ()))
    assert [row[:2] for row in table["rows"]] == [("mlp", "0.001"), ("mlp", "0.01")]
    apart = [f for f in record.result["figures"] if "difference of the losses" in f["name"]]
    assert [figure["name"].split(":")[0] for figure in apart] == [
        "mlp, learning rate 0.001", "mlp, learning rate 0.01",
    ]  # fmt: skip
    assert all(figure["value"] < 1e-3 and "spread" in figure for figure in apart)
    curves = [each.losses[0].tolist() for each in races]
    assert len({tuple(curve) for curve in curves}) == 4
    assert [picture.path.name for picture in record.pictures] == ["mlp-0.001.png", "mlp-0.01.png"]

    alone = hand_gradients.Config("embedded", seed=1, learning_rate=1e-2)
    hand_gradients.run(dataclasses.replace(alone, out=folder / "alone"))
    np.testing.assert_allclose(races[-1].losses, races[3].losses, rtol=1e-5)


def test_reproduce_is_a_page_of_all(folder, monkeypatch, capsys):
    monkeypatch.setattr(reproduce, "EXPERIMENTS", {"perceptron": perceptron})
    reproduce.run(reproduce.Config(num_epochs=1, seeds=2, out=Path("all")))
    assert "One neuron" in (folder / "all" / "index.html").read_text()
    result = json.loads((folder / "all" / "perceptron" / "result.json").read_text())
    assert len(result["spread"]) == 1  # an epoch of two seeds


def test_reproduce_refuses_a_sweep_before_it_begins(folder):
    with pytest.raises(ValueError, match="sweep: there is no setting 'momentum'"):
        reproduce.run(reproduce.Config(sweep=("momentum=0.8,0.9",)))
    assert not list(folder.iterdir())


def test_reproduce_fails_when_a_figure_is_missed(folder, monkeypatch):
    monkeypatch.setattr(reproduce, "EXPERIMENTS", {"perceptron": perceptron})
    monkeypatch.setattr(
        perceptron, "perceptron_rule", lambda x, *_: perceptron.Neuron(-x[0], x[0, 0])
    )
    with pytest.raises(SystemExit) as stopped:
        reproduce.run(reproduce.Config())
    assert stopped.value.code == 1


def test_ctrl_c_leaves_the_finished_epochs(folder, monkeypatch):
    add_epoch = perceptron.Record.add_epoch

    def interrupt(record, epoch, row):
        add_epoch(record, epoch, row)
        if epoch == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(perceptron.Record, "add_epoch", interrupt)
    with pytest.raises(KeyboardInterrupt):
        reproduce.run(reproduce.Config(out=Path("all")))
    assert "not run: fashion_mnist_mlp" in (folder / "all" / "index.html").read_text()
    result = json.loads((folder / "all/perceptron/result.json").read_text())
    assert (result["status"], result["verdict"]) == ("interrupted", "interrupted")
    assert [row["epoch"] for row in result["history"]] == [1, 2]
    assert (folder / "all/perceptron/history.png").exists()
    assert "interrupted" in (folder / "all/perceptron/index.html").read_text()


def test_an_existing_run_folder_stays_as_it_is(folder):
    mine = folder / "mine"
    mine.mkdir()
    (mine / "result.json").write_text("precious")
    perceptron.run(perceptron.Config(num_epochs=1, out=mine))
    assert (mine / "result.json").read_text() == "precious"
    assert (folder / "mine-2" / "result.json").exists()


def test_auto_falls_back_and_says_why(monkeypatch):
    def load(name):
        raise data.DataNotFound("looked everywhere")

    monkeypatch.setattr(sources_module.data, "load", load)
    source = obtain("mnist", "auto")
    assert source.dataset.info.embedded
    assert source.reason == "looked everywhere"
    assert obtain("mnist", "embedded").reason is None
    with pytest.raises(data.DataNotFound):
        obtain("mnist", "real")


def test_texts_become_distinct_ids():
    tokens = data.Tokens(np.array([1, 7, 7, 5], np.uint16), np.array([0, 3, 4]))
    split = data.Split(tokens, np.array([0, 1], np.int32))
    inputs = examples(split).inputs
    assert inputs[:, :2].tolist() == [[1, 7], [5, 0]]
    assert inputs.shape == (2, 32)
    assert not inputs[:, 2:].any()


def test_validation_is_the_last_part_or_the_first():
    ten = Examples(jnp.arange(10), jnp.arange(10))
    train, validation = held_out(ten, 0.2)
    assert (train.inputs.tolist(), validation.inputs.tolist()) == (list(range(8)), [8, 9])
    train, validation = held_out(ten, 0.4, first=True)
    assert (train.inputs.tolist(), validation.inputs.tolist()) == ([4, 5, 6, 7, 8, 9], [0, 1, 2, 3])
    for share in (1.0, -0.5, float("inf"), float("nan")):
        with pytest.raises(ValueError, match=f"of 10 examples on both sides, got {share}"):
            held_out(ten, share)


def test_the_command_repeats_the_run():
    config = mnist_cnn.Config("real", seed=3, features=(8, 8), out=Path("elsewhere"))
    assert command("mnist_cnn", config) == (
        "python -m experiments.mnist_cnn --data real --seed 3 --features 8 8"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--num-epochs", "0"], "num_epochs: expected at least 1, got 0"),
        (["--learning-rate", "nan"], "learning_rate: expected 0 to 3.4e.38, as .*, got nan"),
        (["--learning-rate", "-1"], "learning_rate: expected 0 to .*, got -1.0"),
        (["--learning-rate", "1e39"], "learning_rate: expected 0 to .*, got 1e.39"),
        (["--seed", "99999999999999999999"], "seed: expected a number of 64 bits, got 9999"),
        (["--batch-size", "5000"], "from 1 to the number of training examples, 400, got 5000"),
        (["--out", "/dev/null/runs"], "/dev/null"),
    ],
)
def test_bad_input_ends_with_one_message(arguments, message, folder, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["perceptron", *arguments])
    with pytest.raises(SystemExit) as stopped:
        main("perceptron", perceptron.Config, perceptron.run)
    assert stopped.value.code == 2
    assert re.search(f"error: .*{message}", capsys.readouterr().err)


def test_outputs_that_are_not_the_classes_are_refused_before_training(folder):
    with pytest.raises(ValueError, match="expected 10 outputs for these classes, got 64"):
        fashion_mnist_mlp.run(fashion_mnist_mlp.Config("embedded", features=(64, 64)))
    assert not list((folder / "runs").iterdir())


def test_every_experiment_takes_the_shared_options():
    for _, config in RUNS.values():
        assert isinstance(config, Options)
        assert {"data", "seed", "out", "num_epochs"} <= set(vars(config))
