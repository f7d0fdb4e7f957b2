"""Runs that are stopped and go on, end to end on embedded data; what is refused, and why."""

import fcntl
import json
import os
import shlex
import signal

import jax.numpy as jnp
import numpy as np
import pytest

from dl_jax import report
from dl_jax.train import CheckpointError
from experiments import (
    fashion_mnist_mlp,
    imdb_reviews,
    member_rows,
    pictures,
    resuming,
    survive,
    sweeps,
)
from experiments.options import Stopped, main
from experiments.record import Record

OPTIONS = ["--data", "embedded", "--num-epochs", "2"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # also behind a shell
    end = signal.getsignal(signal.SIGTERM)
    yield tmp_path
    signal.signal(signal.SIGINT, before)
    signal.signal(signal.SIGTERM, end)


@pytest.fixture
def without_pictures(monkeypatch):
    for name in ("draw_samples", "draw_confusion", "add_reviews"):
        monkeypatch.setattr(f"experiments.pictures.{name}", lambda *_: None)
    monkeypatch.setattr("experiments.recording._write", write_result)


def write_result(record):
    report.write_json(record.folder / "result.json", record.result)


@pytest.fixture
def start(monkeypatch):
    """Run an experiment with a command line; return its exit code."""

    def start(*arguments: str, experiment=fashion_mnist_mlp) -> int:
        name = experiment.__name__.removeprefix("experiments.")
        monkeypatch.setattr("sys.argv", [name, *OPTIONS, *arguments])
        try:
            main(name, experiment.Config, experiment.run)
        except SystemExit as stopped:
            return int(stopped.code or 0)
        return 0

    return start


@pytest.fixture
def stop_in(monkeypatch):
    """Send a signal in the Nth call of a function."""

    def stop_in(owner, name: str, call: int, number=signal.SIGINT) -> None:
        function, calls = getattr(owner, name), []

        def called(*arguments):
            calls.append(arguments)
            if len(calls) == call:
                signal.raise_signal(number)
            return function(*arguments)

        monkeypatch.setattr(owner, name, called)

    return stop_in


def test_a_run_stopped_within_an_epoch_and_resumed_is_the_one_left_alone(
    folder, start, stop_in, capsys
):
    """45 steps an epoch: Ctrl-C is heard behind step 20, when a checkpoint is being made."""
    assert start("--out", "alone") == 0
    stop_in(resuming, "save_checkpoint", 2)
    assert start("--out", "stopped", "--checkpoint-every", "10") == 130
    assert {path.name for path in (folder / "stopped/checkpoints/1").iterdir()} == {"10", "20"}
    command = capsys.readouterr().err.splitlines()[-1].split()
    words = "--checkpoint-every 10 --num-epochs 2 --out stopped --resume"
    assert shlex.join(command) == (
        f"python -m experiments.fashion_mnist_mlp --data embedded {words}"
    )
    assert start(*command[3:]) == 0
    assert "Training 1 goes on behind step 20" in capsys.readouterr().out

    one, other = folder / "alone", folder / "stopped"
    assert survive.compare(one, other) == {"parameters that differ": 0, "figures that differ": 0}
    results = [json.loads((path / "result.json").read_text()) for path in (one, other)]
    assert results[0].keys() == results[1].keys()
    assert results[1]["status"] == "finished"
    assert [row["epoch"] for row in results[1]["history"]] == [1, 2]
    assert {path.name for path in one.iterdir()} | {"checkpoints"} == {
        path.name for path in other.iterdir()
    }


@pytest.mark.usefixtures("without_pictures")
@pytest.mark.parametrize("within", [False, True])
@pytest.mark.parametrize(
    "options", [("--seeds", "2"), ("--seeds", "2", "--sweep", "learning_rate=1e-3,1e30")]
)
def test_many_members_stopped_and_resumed_are_those_left_alone(
    options, within, folder, start, stop_in, capsys
):
    """Also where a member of a sweep has gone wrong, which is no reason to lose the others."""
    options += ("--num-epochs", "3")
    assert start("--out", "alone", *options) == 0
    if within:  # 45 steps an epoch, so that this is the third
        stop_in(resuming, "save_checkpoint", 4, signal.SIGTERM)
        options += ("--checkpoint-every", "25")
    else:
        stop_in(member_rows, "add_members", 2, signal.SIGTERM)
        stop_in(sweeps, "add_members", 2, signal.SIGTERM)
    assert start("--out", "stopped", *options) == 143
    result = json.loads((folder / "stopped/result.json").read_text())
    assert result["status"] == "interrupted"
    captions = [table["caption"] for table in result.get("tables", ())]
    when = "After epoch 2; mean of 2 seeds with half of its 95 % interval"
    assert captions == ([when] if "--sweep" in options else [])
    command = capsys.readouterr().err.splitlines()[-1].split()
    assert start(*command[3:]) == 0
    said = capsys.readouterr().out
    assert f"Training 1 goes on behind step {100 if within else 90}" in said
    assert [said.count(f"epoch  {epoch} ") for epoch in (1, 2, 3)] == [1, 1, 1]
    results = [json.loads((folder / n / "result.json").read_text()) for n in ("alone", "stopped")]
    for name in ("history", "spread", "tables", "figures", "status"):
        one, other = (result.get(name) for result in results)
        assert one == other, name
    one, other = ((folder / n / "metrics.jsonl").read_text() for n in ("alone", "stopped"))
    assert one == other
    weights = [folder / n / "weights.safetensors" for n in ("alone", "stopped")]
    if "--sweep" not in options:
        assert weights[0].read_bytes() == weights[1].read_bytes()


@pytest.mark.usefixtures("without_pictures")
def test_sigterm_behind_an_epoch(folder, start, stop_in, capsys):
    stop_in(Record, "add_epoch", 1, signal.SIGTERM)
    assert start("--out", "stopped") == 143
    assert "--out stopped --resume" in capsys.readouterr().err
    result = json.loads((folder / "stopped/result.json").read_text())
    assert (result["status"], len(result["history"])) == ("interrupted", 1)
    assert start("--out", "stopped", "--resume") == 0
    lines = (folder / "stopped/metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2]


@pytest.mark.usefixtures("without_pictures")
def test_a_second_ctrl_c_stops_at_once(folder, start, stop_in, capsys):
    stop_in(Record, "add_epoch", 1)
    stop_in(resuming, "save_checkpoint", 1)
    assert start("--out", "stopped") == 130
    assert "what was finished by then is kept" in capsys.readouterr().err


@pytest.mark.usefixtures("without_pictures")
def test_the_second_training_of_an_experiment_goes_on_too(folder, start, stop_in):
    """The reviews are trained on twice; the first time is repeated from its last checkpoint."""
    assert start("--out", "alone", experiment=imdb_reviews) == 0
    stop_in(Record, "add_epoch_times", 3)  # the third epoch is the first of the second training
    assert start("--out", "stopped", "--checkpoint-every", "4", experiment=imdb_reviews) == 130
    assert len(list((folder / "stopped/checkpoints").iterdir())) == 2
    stopped = ("--out", "stopped", "--checkpoint-every", "4", "--resume")
    assert start(*stopped, experiment=imdb_reviews) == 0
    differing = survive.compare(folder / "alone", folder / "stopped")
    assert differing == {"parameters that differ": 0, "figures that differ": 0}


@pytest.mark.usefixtures("without_pictures")
def test_a_run_killed_before_its_first_checkpoint_begins_again(folder, start, capsys):
    """A kill leaves what there was: the settings, an epoch's line, no checkpoint."""
    assert start("--out", "killed") == 0
    result = json.loads((folder / "killed/result.json").read_text())
    (folder / "killed/result.json").write_text(json.dumps(result | {"status": "interrupted"}))
    assert start("--out", "killed", "--resume") == 0
    assert "goes on behind step 0" in capsys.readouterr().out
    assert len((folder / "killed/metrics.jsonl").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "expected the folder of the run, --out FOLDER --resume"),
        (("--out", "nowhere"), "nowhere: no run folder, there is no result.json in it"),
        (("--out", "finished"), "finished: the run has finished"),
        (("--out", "perceptron"), "a run of experiments.perceptron, not of experiments.fashion"),
        (("--out", "run", "--batch-size", "16"), "other settings: batch_size: 32, now 16"),
        (("--out", "run", "--num-epochs", "3"), "other settings: num_epochs: 2, now 3"),
        (("--out", "damaged"), "damaged/result.json: no JSON, or a damaged file"),
        (("--out", "newer"), "newer: a run of version 99, written by a newer dl_jax"),
        (("--out", "run", "--checkpoint-every", "0"), "checkpoint_every: expected at least 1"),
    ],
)
def test_what_cannot_be_resumed(arguments, message, folder, start, capsys):
    settings = fashion_mnist_mlp.Config("embedded", num_epochs=2)
    saved = dict.fromkeys(report.Result.__required_keys__)
    saved |= {"experiment": "fashion_mnist_mlp", "status": "interrupted", "config": vars(settings)}
    saved |= {"times": {}, "environment": {}, "figures": [], "history": []}
    for name, changes in {
        "run": {},
        "finished": {"status": "finished"},
        "perceptron": {"experiment": "perceptron"},
        "newer": {"version": 99},
    }.items():
        (folder / name).mkdir()
        (folder / name / "result.json").write_text(json.dumps(saved | changes))
    (folder / "damaged").mkdir()
    (folder / "damaged/result.json").write_text('{"experiment": ')
    before = sorted(path.name for path in folder.rglob("*"))
    assert start(*arguments, "--resume") == 2
    assert message in capsys.readouterr().err
    assert sorted(path.name for path in folder.rglob("*")) == before


@pytest.mark.usefixtures("without_pictures")
@pytest.mark.parametrize("seeds", ["1", "2"])
def test_other_data_are_refused(seeds, folder, start, stop_in, monkeypatch, capsys):
    stop_in(Record, "add_epoch", 1)
    stop_in(member_rows, "add_members", 1)
    options = ("--out", "stopped", "--seeds", seeds, "--tensorboard")
    assert start(*options) == 130
    metrics = (folder / "stopped/metrics.jsonl").read_text()
    assert len(metrics.splitlines()) == int(seeds)
    board = sorted((folder / "stopped/tensorboard").rglob("*"))
    monkeypatch.setattr("experiments.record.describe", lambda _: {"digest": "other", "embedded": 1})
    assert start(*options, "--resume") == 2
    assert ", now other" in capsys.readouterr().err
    assert sorted((folder / "stopped/tensorboard").rglob("*")) == board
    assert (folder / "stopped/metrics.jsonl").read_text() == metrics
    result = json.loads((folder / "stopped/result.json").read_text())
    assert len(result["history"]) == 1


@pytest.mark.usefixtures("without_pictures")
@pytest.mark.parametrize("seeds", ["1", "2"])
def test_updates_that_were_left_out_are_refused_where_the_run_is_to_stop(
    seeds, folder, start, stop_in, capsys
):
    options = ("--out", "stopped", "--seeds", seeds, "--learning-rate", "1e30")
    stop_in(resuming, "save_checkpoint", 4)
    asked = ("--checkpoint-every", "20", "--nonfinite", "skip")
    assert start(*options, *asked) == 130
    metrics = (folder / "stopped/metrics.jsonl").read_text()
    assert len(metrics.splitlines()) == int(seeds)
    metrics += '{"epoch": 2}\n'  # behind the newest checkpoint
    (folder / "stopped/metrics.jsonl").write_text(metrics)
    assert start(*options, "--resume") == 2
    assert "expected nonfinite='skip', got 'stop'" in capsys.readouterr().err
    assert (folder / "stopped/metrics.jsonl").read_text() == metrics


def test_ctrl_c_behind_the_last_call_of_a_program_is_kept(folder):
    state = resuming.TrainState(jnp.int32(1), {"w": jnp.array(0.0)}, {}, ())
    config = fashion_mnist_mlp.Config()

    def train():
        with resuming.kept(folder, "fashion_mnist_mlp", config, 1, None, {}) as (_, keep):
            assert keep is not None
            keep(resuming.Checkpoint(state))
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Stopped):
        train()
    assert [path.name for path in (folder / "checkpoints" / "1").iterdir()] == ["1"]


@pytest.mark.usefixtures("without_pictures")
def test_two_processes_do_not_write_one_run(folder, start, stop_in, capsys):
    stop_in(Record, "add_epoch", 1)
    assert start("--out", "stopped") == 130
    with open(folder / "stopped/.lock") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # as the other process
        assert start("--out", "stopped", "--resume") == 2
        assert "stopped: another process writes this run, number " in capsys.readouterr().err
    assert start("--out", "stopped", "--resume") == 0


@pytest.mark.usefixtures("without_pictures")
def test_a_full_disk_ends_the_run_and_says_what_is_left(folder, start, monkeypatch, capsys):
    def full(*_):
        raise CheckpointError("10: cannot write the checkpoint, the last good one is 5: no space")

    monkeypatch.setattr(resuming, "save_checkpoint", full)
    assert start("--out", "full", "--checkpoint-every", "10") == 1
    assert "error: 10: cannot write the checkpoint, the last good" in capsys.readouterr().err


@pytest.mark.usefixtures("without_pictures")
def test_numbers_that_are_not_finite_end_the_run_or_are_left_out(
    folder, start, monkeypatch, capsys
):
    def spoilt(split):
        inputs, targets = examples(split)
        inputs = jnp.asarray(inputs, jnp.float32) / 255
        return type(examples(split))(inputs.at[7].set(np.nan), targets)

    examples = fashion_mnist_mlp.examples
    monkeypatch.setattr(fashion_mnist_mlp, "examples", spoilt)
    assert start("--out", "run", "--checkpoint-every", "1") == 1
    said = capsys.readouterr().err
    assert "in epoch 1: not finite is an input of the batch. The last finite checkpoint is" in said
    command = said.splitlines()[-1].split()
    assert command[-3:] == ["--resume", "--nonfinite", "skip"]
    assert start(*command[3:]) == 0
    lines = (folder / "run/metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["skipped"] for line in lines] == [1, 1]


def test_sigterm_is_heard_where_ctrl_c_is_not(tmp_path, monkeypatch):
    monkeypatch.setattr(resuming, "save_checkpoint", lambda *_: None)
    config, state = fashion_mnist_mlp.Config(), resuming.TrainState(jnp.int32(1), {}, {}, ())
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as of `command &` in a script
    try:
        with resuming.kept(tmp_path, "fashion_mnist_mlp", config, 1, None, {}) as (_, keep):
            os.kill(os.getpid(), signal.SIGTERM)
            assert keep is not None
            with pytest.raises(Stopped):
                keep(resuming.Checkpoint(state))
            assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    except Stopped:
        pass  # again, at the end of the block
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("totals", [{"loss": jnp.array(1.0)}, {}], ids=["within", "behind"])
def test_parameters_that_went_wrong_are_not_kept(totals, tmp_path):
    config = fashion_mnist_mlp.Config(checkpoint_every=1)
    with resuming.kept(tmp_path, "fashion_mnist_mlp", config, 1, None, {}) as (_, keep):
        assert keep is not None
        for step, value in ((1, 0.0), (2, float("nan"))):
            state = resuming.TrainState(jnp.int32(step), {"w": jnp.array(value)}, {}, ())
            keep(resuming.Checkpoint(state, totals))
    assert [path.name for path in (tmp_path / "checkpoints" / "1").iterdir()] == ["1"]


def test_checkpoints_are_not_made_oftener_than_they_cost_little(tmp_path, monkeypatch):
    now, saved = [0.0], []
    monkeypatch.setattr(resuming.time, "monotonic", lambda: now[0])

    def save(folder, checkpoint, about):
        saved.append(int(checkpoint.state.step))
        now[0] += 1.0  # so long does it take

    monkeypatch.setattr(resuming, "save_checkpoint", save)
    config = fashion_mnist_mlp.Config()
    like = resuming.TrainState(jnp.int32(0), {}, {}, ())
    with resuming.kept(tmp_path, "fashion_mnist_mlp", config, 1, like, {}) as (_, keep):
        assert keep is not None
        for step in range(1, 200):  # an epoch a second
            now[0] += 1.0
            state = resuming.TrainState(jnp.int32(step), {}, {}, ())
            keep(resuming.Checkpoint(state))
    assert saved == [10, 60, 110, 160]


def test_sigterm_behind_the_training_ends_it_in_order(folder, start, stop_in, capsys):
    stop_in(pictures, "draw_samples", 1, signal.SIGTERM)
    arguments = ("--out", "stopped", "--checkpoint-every", "45")
    assert start(*arguments) == 143
    said = capsys.readouterr().err
    assert "interrupted; it goes on with" in said
    assert start(*arguments, "--resume") == 0
    assert json.loads((folder / "stopped/result.json").read_text())["status"] == "finished"


def test_numbers_that_go_wrong_before_a_checkpoint_say_how_to_begin_again(start, folder, capsys):
    assert start("--learning-rate", "1e30") == 1
    said = capsys.readouterr().err
    words = shlex.split(said.splitlines()[-1])
    assert "No checkpoint; to leave such updates out, begin again with" in said
    assert words[-2:] == ["--nonfinite", "skip"]
    assert "--resume" not in words
    assert start(*words[3:]) == 0
