"""What `--tensorboard` leaves in a run folder."""

from dataclasses import replace
from pathlib import Path

import pytest
from tensorboardX.proto.event_pb2 import Event  # pyright: ignore[reportAttributeAccessIssue]
from tensorboardX.record_writer import masked_crc32c

from experiments import fashion_mnist_mlp
from experiments.options import command

CONFIG = fashion_mnist_mlp.Config("embedded", num_epochs=2, tensorboard=True)


def events_of(folder):
    """The events of TensorBoard's files: length, its checksum, an event, its checksum."""
    (path,) = folder.glob("events.out.tfevents.*")
    content, events = path.read_bytes(), []
    while content:
        length = int.from_bytes(content[:8], "little")
        event, checksum = content[12 : 12 + length], content[12 + length : 16 + length]
        assert int.from_bytes(checksum, "little") == masked_crc32c(event)
        events.append(Event.FromString(event))
        content = content[16 + length :]
    return [(event.step, value) for event in events for value in event.summary.value]


def test_curves_and_pictures(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    record = fashion_mnist_mlp.run(CONFIG)
    board = record.folder / "tensorboard"
    train, validation = events_of(board / "train"), events_of(board / "validation")
    for events, prefix in ((train, ""), (validation, "val_")):
        losses = [(step, v.simple_value) for step, v in events if v.tag == "loss"]
        rows = [(row["epoch"], row[f"{prefix}loss"]) for row in record.result["history"]]
        assert losses == [(step, pytest.approx(loss)) for step, loss in rows]
    shown = {value.tag for _, value in train if value.image.encoded_image_string}
    assert shown == {"history", "predictions", "confusion"}
    assert (record.folder / "metrics.jsonl").exists()
    assert not (tmp_path / "runs" / "tensorboard").exists()


def test_a_run_that_goes_on_has_all_its_epochs_on_the_board(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def full(*_):
        raise OSError("no space left on device")

    config = replace(CONFIG, out=Path("run"), checkpoint_every=45)
    with monkeypatch.context() as patch:
        patch.setattr("dl_jax.report.write_page", full)
        with pytest.raises(OSError, match="no space"):
            fashion_mnist_mlp.run(config)
    record = fashion_mnist_mlp.run(replace(config, resume=True))
    assert record.result["status"] == "finished"  # which it had not been without its page
    losses = [step for step, v in events_of(Path("run/tensorboard/train")) if v.tag == "loss"]
    assert losses == [1, 2]


def test_seeds_have_their_means_on_the_board(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    record = fashion_mnist_mlp.run(replace(CONFIG, seeds=2))
    events = events_of(record.folder / "tensorboard" / "train")
    losses = [(step, v.simple_value) for step, v in events if v.tag == "loss"]
    assert losses == [
        (row["epoch"], pytest.approx(row["loss"])) for row in record.result["history"]
    ]


def test_not_installed_is_said_before_anything_is_done(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("experiments.options.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"pip install 'dl-jax\[tensorboard\]'"):
        fashion_mnist_mlp.run(CONFIG)
    assert not list(tmp_path.iterdir())


def test_the_command_names_it():
    assert "--data embedded --tensorboard --num-epochs 2" in command("fashion_mnist_mlp", CONFIG)
