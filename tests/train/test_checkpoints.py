"""Checkpoints in files: what was written comes back to the bit, and nothing else does."""

import errno
import json
import os
import shutil

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import orbax.checkpoint as ocp
import pytest

from dl_jax.losses import MULTICLASS
from dl_jax.models import MLP
from dl_jax.train import (
    Checkpoint,
    CheckpointError,
    CheckpointWarning,
    Fit,
    checkpoints,
    differences,
    fit,
    init_state,
    load_checkpoint,
    save_checkpoint,
)

MODEL, OPTIMIZER = MLP((8, 3)), optax.adam(1e-2)
ABOUT = {"config": {"learning_rate": 0.01, "features": [8, 3]}, "data": "digest"}


@pytest.fixture
def like(examples, key):
    return init_state(MODEL, OPTIMIZER, key, examples.inputs)


def run(examples, **changes) -> Fit:
    settings = {"num_epochs": 3, "batch_size": 16, "key": jax.random.key(0), "progress": False}
    return fit(MODEL, MULTICLASS, OPTIMIZER, examples, **settings | changes)


def figures(history):
    return [{k: v for k, v in row.items() if "seconds" not in k} for row in history]


def save_some(folder, like, steps=(1, 2)) -> list[Checkpoint]:
    """Checkpoints of which each has other numbers."""
    made = []
    for step in steps:
        state = jax.tree.map(lambda a, s=step: a + s, like).replace(step=jnp.int32(step))
        rows = [{"epoch": 1, "loss": 0.1 + step, "accuracy": float("nan")}]
        made.append(Checkpoint(state, {"loss": jnp.float32(0.3)}, rows, 1.5))
        save_checkpoint(folder, made[-1], ABOUT)
    return made


def test_what_was_saved_comes_back_to_the_bit(tmp_path, like):
    (saved,) = save_some(tmp_path, like, [7])
    found = load_checkpoint(tmp_path, like, ABOUT)
    assert found is not None
    chex.assert_trees_all_equal(found.state, saved.state, strict=True)
    chex.assert_trees_all_equal(found.totals, saved.totals)
    np.testing.assert_equal(found.history, saved.history)  # NaN equals NaN there
    assert found.seconds == 1.5


def test_a_random_key_in_an_optimizer_comes_back(tmp_path, examples, key):
    optimizer = optax.noisy_sgd(0.1, key=jax.random.key(3, impl="rbg"))
    state = init_state(MODEL, optimizer, key, examples.inputs)
    save_checkpoint(tmp_path, Checkpoint(state), ABOUT)
    like = jax.eval_shape(lambda: state)
    found = load_checkpoint(tmp_path, like, ABOUT)
    assert found is not None
    settings = {"num_epochs": 1, "batch_size": 16, "key": key, "progress": False}
    runs = [
        fit(MODEL, MULTICLASS, optimizer, examples, start=start, **settings).state.params
        for start in (Checkpoint(state), found)
    ]
    chex.assert_trees_all_equal(*runs)


def test_one_that_is_there_stays(tmp_path, like):
    (first,) = save_some(tmp_path, like, [7])
    twice = first._replace(seconds=9.0)  # as a run that is stopped behind a checkpoint
    assert save_checkpoint(tmp_path, twice, ABOUT) == tmp_path / "7"
    found = load_checkpoint(tmp_path, like, ABOUT)
    assert found is not None
    assert found.seconds == 1.5
    assert [path.name for path in tmp_path.iterdir()] == ["7"]


def test_a_run_that_dies_at_any_step_and_goes_on_ends_the_same(tmp_path, examples, like):
    whole = run(examples, validation=examples)

    class Died(Exception):
        pass

    def attempt(dies_at: int) -> Fit:
        def keep(checkpoint: Checkpoint) -> None:
            save_checkpoint(tmp_path, checkpoint, ABOUT)
            if int(checkpoint.state.step) == dies_at:
                raise Died

        start = load_checkpoint(tmp_path, like, ABOUT)
        return run(examples, validation=examples, start=start, checkpoint=keep, checkpoint_every=1)

    for step in (
        2,
        3,
        4,
        7,
        12,
    ):  # within epochs, before the short batch, behind epochs, at the end
        with pytest.raises(Died):
            attempt(step)
    done = attempt(-1)
    chex.assert_trees_all_equal(done.state, whole.state)
    assert figures(done.history) == figures(whole.history)


def test_the_two_newest_are_kept_in_order_of_their_steps(tmp_path, like):
    save_some(tmp_path, like, [8, 9, 10])
    assert [path.name for path in checkpoints.checkpoints_in(tmp_path)] == ["9", "10"]


def test_nothing_was_saved_yet(tmp_path, like):
    assert load_checkpoint(tmp_path / "checkpoints", like, ABOUT) is None
    (tmp_path / "unfinished-3").mkdir()  # as a process leaves it that is killed
    assert load_checkpoint(tmp_path, like, ABOUT) is None
    save_some(tmp_path, like, [3])
    assert [path.name for path in tmp_path.iterdir()] == ["3"]


def test_a_damaged_file_never_becomes_other_numbers(tmp_path, like):
    """Each file of the newest checkpoint, lost, cut in half, and with a bit that is another one."""
    first, _ = save_some(tmp_path / "whole", like)
    newest = tmp_path / "whole" / "2"
    for file in [path for path in newest.rglob("*") if path.stat().st_size and path.is_file()]:
        for damage in ("lost", "cut", "changed"):
            folder = tmp_path / "damaged"
            shutil.copytree(tmp_path / "whole", folder)
            path, content = folder / "2" / file.relative_to(newest), bytearray(file.read_bytes())
            if damage == "lost":
                path.unlink()
            elif damage == "cut":
                path.write_bytes(content[: len(content) // 2])
            else:
                content[len(content) // 2] ^= 1
                path.write_bytes(content)
            with pytest.warns(CheckpointWarning, match="damaged and put aside, 2: "):
                found = load_checkpoint(folder, like, ABOUT)
            assert found is not None
            chex.assert_trees_all_equal(found.state, first.state)
            np.testing.assert_equal(found.history, first.history)
            assert (folder / "damaged-2").exists()
            shutil.rmtree(folder)


def test_the_warning_names_what_is_damaged(tmp_path, like):
    save_some(tmp_path, like)
    notes = tmp_path / "2" / "notes.json"
    notes.write_text(notes.read_text().replace("1.5", "2.5"))
    with pytest.warns(CheckpointWarning, match="2: its notes are not .* goes on from 1 instead"):
        load_checkpoint(tmp_path, like, ABOUT)
    # It is out of the way of the checkpoints to come.
    assert [path.name for path in checkpoints.checkpoints_in(tmp_path)] == ["1"]


def test_all_are_damaged(tmp_path, like):
    save_some(tmp_path, like)
    for path in checkpoints.checkpoints_in(tmp_path):
        shutil.rmtree(path / "leaves")
    with pytest.raises(ValueError, match=r"all checkpoints are damaged, 2: .*; 1: "):
        load_checkpoint(tmp_path, like, ABOUT)
    assert len(checkpoints.checkpoints_in(tmp_path)) == 2


def test_a_checkpoint_of_another_run_names_the_differences(tmp_path, like):
    save_some(tmp_path, like)
    other = {"config": {**ABOUT["config"], "learning_rate": 0.1}, "data": "another"}
    with pytest.raises(
        ValueError,
        match=r"another run: config\.learning_rate: 0\.01, now 0\.1; data: digest, now another",
    ):
        load_checkpoint(tmp_path, like, other)


def test_a_checkpoint_of_another_optimizer(tmp_path, like, examples, key):
    save_some(tmp_path, like)
    plain = init_state(MODEL, optax.sgd(0.1), key, examples.inputs)
    with pytest.raises(ValueError, match=r"another network or optimizer: opt_state\.0\.count"):
        load_checkpoint(tmp_path, plain, ABOUT)


def test_a_checkpoint_of_a_later_version_is_refused_and_stays(tmp_path, like, monkeypatch):
    monkeypatch.setattr(checkpoints, "VERSION", 2)
    save_some(tmp_path, like)
    monkeypatch.undo()
    with pytest.raises(ValueError, match="of version 2, this dl_jax reads up to 1"):
        load_checkpoint(tmp_path, like, ABOUT)
    assert len(checkpoints.checkpoints_in(tmp_path)) == 2


def test_a_checkpoint_of_another_jax_is_taken_with_a_warning(tmp_path, like, monkeypatch):
    monkeypatch.setattr(checkpoints.jax, "__version__", "0.9.9")
    save_some(tmp_path, like)
    monkeypatch.undo()
    with pytest.warns(CheckpointWarning, match=r"jax: 0\.9\.9, now .* last bits"):
        assert load_checkpoint(tmp_path, like, ABOUT)


def test_all_of_it_is_on_the_disk_before_it_has_its_name(tmp_path, like, monkeypatch):
    flushed: list[bool] = []
    fsync = os.fsync

    def seen(number: int) -> None:
        fsync(number)
        flushed.append((tmp_path / "7").exists())

    monkeypatch.setattr(checkpoints.os, "fsync", seen)
    save_some(tmp_path, like, [7])
    # Each file and folder of it before, and then the folder with its name.
    assert flushed == [False] * (len(flushed) - 1) + [True]
    assert len(flushed) == 2 + len(list((tmp_path / "7").rglob("*")))


def test_a_full_disk_leaves_the_last_good_one(tmp_path, like, monkeypatch):
    save_some(tmp_path, like)

    def full(self, path, **_):
        path.mkdir(parents=True)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(ocp.Checkpointer, "save", full)
    with pytest.raises(CheckpointError, match=r"3: .* last good one is .*/2: .*No space left"):
        save_some(tmp_path, like, [3])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "2"]
    monkeypatch.undo()
    usage = shutil.disk_usage(tmp_path)._replace(free=100)
    monkeypatch.setattr(checkpoints.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(CheckpointError, match=r"takes \d+ bytes and 100 are free"):
        save_some(tmp_path, like, [3])


def test_differences_by_name():
    before = {"a": 1, "b": {"c": [1, 2], "d": None}}
    assert differences(before, json.loads(json.dumps(before))) == []
    assert differences(before, {"a": 1, "b": {"c": [1, 3]}, "e": 0}) == [
        "b.c: [1, 2], now [1, 3]",
        "e: None, now 0",
    ]
