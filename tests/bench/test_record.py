"""The record on disk: what goes in comes out, and nothing else is taken for one."""

import json

import pytest

from dl_jax.bench.record import Record, new_record
from dl_jax.bench.record_file import check_target, read_record, write_record


def test_a_record_comes_back_as_it_was(tmp_path, make_record, make_row):
    record = make_record(make_row(), make_row(variant="eager", stages=None, memory=None))
    path = tmp_path / "bench.json"
    write_record(path, record)
    assert read_record(path) == record
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_record_is_interrupted_until_it_is_finished(tmp_path):
    record = new_record("dl-jax bench")
    assert record.keys() == Record.__annotations__.keys()
    assert record["status"] == "interrupted"
    assert record["environment"]["default_matmul_precision"] == "default"
    assert record["environment"]["packages"]["jax"]
    write_record(tmp_path / "x.json", record)
    assert read_record(tmp_path / "x.json") == record


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("not at all", "got a file that is no JSON"),
        ("[1, 2]", "got other JSON"),
        ('{"experiment": "mnist_cnn"}', "got other JSON"),
        ('{"format": "dl_jax sweep"}', "got format 'dl_jax sweep'"),
        ('{"format": "dl_jax benchmark", "version": 2}', "of version 2, expected version 1; rep"),
        ('{"format": "dl_jax benchmark", "version": 1}', "without command, date, devices, envir"),
    ],
)
def test_what_is_no_benchmark_is_neither_read_nor_overwritten(tmp_path, content, said):
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=said):
        read_record(path)
    with pytest.raises(ValueError, match=f"{said}.*nothing else is overwritten"):
        check_target(path)
    assert path.read_text() == content


def test_a_row_that_lacks_something_is_no_benchmark(tmp_path, make_record):
    record = make_record()
    del record["rows"][0]["step"]
    path = tmp_path / "x.json"
    path.write_text(json.dumps(record))
    with pytest.raises(ValueError, match="got one without step"):
        read_record(path)


def test_a_benchmark_may_be_overwritten_and_a_folder_must_exist(tmp_path, make_record):
    path = tmp_path / "x.json"
    check_target(path)
    path.touch()
    check_target(path)
    write_record(path, make_record())
    check_target(path)
    for wrong in (tmp_path, tmp_path / "nowhere" / "x.json"):
        with pytest.raises(OSError, match="expected a file in a folder that exists"):
            check_target(wrong)


def test_a_folder_that_cannot_be_written_is_refused_before_measuring(tmp_path, monkeypatch):
    def full(dir):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("dl_jax.bench.record_file.TemporaryFile", full)
    with pytest.raises(OSError, match="expected a folder that can be written, got No space left"):
        check_target(tmp_path / "a.json")
