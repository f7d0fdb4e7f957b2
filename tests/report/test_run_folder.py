import json
import math
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from dl_jax.report import RunFolderError, append_jsonl, make_run_folder, write_json, write_text


def test_default_folders_are_numbered(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert [make_run_folder(None, "cnn") for _ in range(3)] == [
        Path("runs/cnn-1"),
        Path("runs/cnn-2"),
        Path("runs/cnn-3"),
    ]
    assert make_run_folder(None, "mlp") == Path("runs/mlp-1")


def test_a_deleted_number_is_not_given_again(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("runs/cnn-9").mkdir(parents=True)
    Path("runs/cnn-x").mkdir()
    Path("runs/other-cnn-20").mkdir()
    assert make_run_folder(None, "cnn") == Path("runs/cnn-10")


def test_an_explicit_folder_is_made_with_its_parents(tmp_path):
    assert make_run_folder(tmp_path / "a" / "b", "cnn") == tmp_path / "a" / "b"


def test_an_explicit_folder_that_exists_is_left_alone(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "result.json").write_text("precious")
    assert make_run_folder(tmp_path / "out", "cnn") == tmp_path / "out-2"
    assert make_run_folder(tmp_path / "out", "cnn") == tmp_path / "out-3"
    assert os.listdir(tmp_path / "out") == ["result.json"]
    assert (tmp_path / "out" / "result.json").read_text() == "precious"


@pytest.mark.parametrize("path", ["", ".", "..", "/", "a/.."])
def test_a_folder_without_a_name_of_its_own(path, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(RunFolderError, match="--out: expected the name of a new folder, got"):
        make_run_folder(Path(path), "cnn")
    assert [found.name for found in tmp_path.rglob("*")] == ["here"]


@pytest.mark.parametrize("explicit", [True, False])
def test_runs_of_one_moment_get_different_folders(tmp_path, monkeypatch, explicit):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "out" if explicit else None
    with ThreadPoolExecutor(16) as pool:
        folders = list(pool.map(lambda _: make_run_folder(path, "cnn"), range(64)))
    assert len(set(folders)) == 64
    assert all(folder.is_dir() for folder in folders)


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFolderError, match="--out FOLDER") as caught:
        make_run_folder(tmp_path / "file" / "run", "cnn")
    assert str(tmp_path / "file" / "run") in str(caught.value)
    assert isinstance(caught.value, OSError)


def test_no_permission(tmp_path, monkeypatch):
    # A test that runs as root may write anywhere, so the refusal is staged.
    def refuse(self, *args, **kwargs):
        if self.name == "cnn-1":
            raise PermissionError(13, "Permission denied")
        return mkdir(self, *args, **kwargs)

    mkdir = Path.mkdir
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(RunFolderError, match=r"cnn-1: cannot .* \(Permission denied\).*--out"):
        make_run_folder(None, "cnn")


def test_json_holds_what_experiments_have(tmp_path):
    path = tmp_path / "result.json"
    write_json(
        path,
        {
            "int": np.int64(3),
            "float": np.float32(0.5),
            "bool": np.bool_(True),
            "array": np.array([[1.0, math.nan]]),
            "tuple": (1, math.inf, -math.inf),
            "path": Path("a") / "b",
            "none": None,
            "text": "é",
            4: np.float64("nan"),
        },
    )

    def fail(constant):
        raise AssertionError(f"{constant} is not JSON")

    assert json.loads(path.read_text(encoding="utf-8"), parse_constant=fail) == {
        "int": 3,
        "float": 0.5,
        "bool": True,
        "array": [[1.0, "NaN"]],
        "tuple": [1, "Infinity", "-Infinity"],
        "path": os.path.join("a", "b"),
        "none": None,
        "text": "é",
        "4": "NaN",
    }
    assert float("-Infinity") == -math.inf  # what the docstring says of reading back


def test_what_json_cannot_hold_leaves_the_old_file(tmp_path):
    path = tmp_path / "result.json"
    write_json(path, {"old": 1})
    with pytest.raises(TypeError):
        write_json(path, {"new": object()})
    assert json.loads(path.read_text()) == {"old": 1}
    assert os.listdir(tmp_path) == ["result.json"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("moment", ["write", "replace"])
def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch, error, moment):
    path = tmp_path / "result.json"
    write_json(path, {"old": 1})
    write = Path.write_text

    def half(self, text, **kwargs):
        write(self, text[: len(text) // 2], **kwargs)
        raise error

    def refuse(*args):
        raise error

    if moment == "write":
        monkeypatch.setattr(Path, "write_text", half)
    else:
        monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(type(error)):
        write_json(path, {"new": 2})
    assert json.loads(path.read_text()) == {"old": 1}
    assert os.listdir(tmp_path) == ["result.json"]


def test_text_is_utf8_on_every_system(tmp_path):
    write_text(tmp_path / "a.txt", "≥\n")
    assert (tmp_path / "a.txt").read_bytes() == b"\xe2\x89\xa5\n"


def test_jsonl_is_a_row_a_line(tmp_path):
    path = tmp_path / "metrics.jsonl"
    append_jsonl(path, {"epoch": 1, "loss": np.float32(0.25), "note": "two\nlines"})
    append_jsonl(path, {"epoch": 2, "loss": math.nan})
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert rows == [
        {"epoch": 1, "loss": 0.25, "note": "two\nlines"},
        {"epoch": 2, "loss": "NaN"},
    ]


def test_a_link_stays_and_a_pipe_is_written_to(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "file")
    write_text(tmp_path / "link", "text")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "text"
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    write_text(tmp_path / "pipe", "text")
    assert os.read(reader, 10) == b"text"
    os.close(reader)
    with pytest.raises(IsADirectoryError):
        write_text(tmp_path, "text")
