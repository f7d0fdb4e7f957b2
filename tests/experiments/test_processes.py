"""An experiment in many processes: one writes, all compare, and none waits for one that ended."""

from dataclasses import dataclass, replace
from pathlib import Path

import jax
import pytest

from experiments import processes
from experiments.options import Training, command, main
from experiments.processes import ProcessLostError, joined


@dataclass(frozen=True)
class Config(Training):
    num_epochs: int = 3


TOGETHER = Config(coordinator="here:1234", num_processes=2, process_id=1, out=Path("mine"))


@pytest.fixture
def meeting(monkeypatch):
    """The others, without any: what this process, number 1 of 2, says to them."""
    said = []
    monkeypatch.setattr(processes, "join", lambda *address: said.append(address))
    monkeypatch.setattr(processes, "check_alike", said.append)
    monkeypatch.setattr(jax, "process_index", lambda: 1)
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    return said


def test_alone_unless_it_is_asked(meeting):
    with joined("an_experiment", Config()) as mine:
        assert mine == Config()
    assert meeting == []


def test_the_settings_are_compared_but_for_what_is_a_process_own(meeting):
    with joined("an_experiment", TOGETHER):
        address, settings = meeting
    assert address == ("here:1234", 2, 1)
    assert settings["num_epochs"] == "3"
    assert settings["experiment"] == "'an_experiment'"
    assert not {"process_id", "out"} & set(settings)


def test_the_others_write_and_print_nothing(meeting, capsys):
    with joined("an_experiment", TOGETHER) as mine:
        print("epoch 1")
        assert mine.out is not None
        mine.out.mkdir()
    assert mine.out != TOGETHER.out
    assert not mine.out.parent.exists()
    assert capsys.readouterr().out == ""


def test_the_first_one_writes_where_it_was_told(meeting, monkeypatch, capsys):
    monkeypatch.setattr(jax, "process_index", lambda: 0)
    with joined("an_experiment", TOGETHER) as mine:
        print("epoch 1")
        assert mine.out == TOGETHER.out
    assert capsys.readouterr().out == "epoch 1\n"


def lose(_):
    raise jax.errors.JaxRuntimeError("Gloo all-reduce failed: Connection closed by peer\nmore")


def test_another_process_that_has_ended(meeting):
    with (
        pytest.raises(ProcessLostError, match=r"process 1 of 2: .* one of them has ended.*by peer"),
        joined("an_experiment", TOGETHER) as mine,
    ):
        lose(mine)


def test_a_fault_of_its_own_is_no_other_process(meeting):
    def fill(_):
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes")

    with (
        pytest.raises(jax.errors.JaxRuntimeError, match="Out of memory"),
        joined("an_experiment", TOGETHER) as mine,
    ):
        fill(mine)


def test_what_another_process_resumes_is_copied_before_they_have_met(
    meeting, monkeypatch, tmp_path
):
    monkeypatch.setenv("HOME", str(tmp_path))
    run = tmp_path / "run"
    (run / "checkpoints" / "1").mkdir(parents=True)
    for name in ("config.json", "result.json", "metrics.jsonl"):
        (run / name).write_text(name)

    def write(_):  # as the first process does once it has met the others
        (run / "result.json").write_text("newer")

    monkeypatch.setattr(processes, "check_alike", write)
    asked = replace(TOGETHER, out=Path("~/run"), resume=True)
    with joined("an_experiment", asked) as mine:
        assert mine.out is not None
        assert (mine.out / "result.json").read_text() == "result.json"
        found = sorted(path.name for path in mine.out.iterdir())
    assert found == ["checkpoints", "config.json", "result.json"]


def test_a_process_leaves_at_once_and_with_its_exit_code(meeting, monkeypatch, capsys):
    """JAX's shutdown, behind `sys.exit`, would wait for processes that wait for this one."""

    class Left(BaseException):
        pass

    def leave(code):
        raise Left(code)

    monkeypatch.setattr(jax.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(processes.os, "_exit", leave)
    arguments = ["x", "--coordinator", "here:1234", "--num-processes", "2", "--process-id", "1"]
    monkeypatch.setattr("sys.argv", arguments)

    def bad(_):
        raise ValueError("num_epochs: expected at least 1, got 0")

    for run, code, said in ((lose, 1, "one of them has ended"), (bad, 2, "got 0")):
        with pytest.raises(Left) as left:
            main("x", Config, run)
        assert left.value.args == (code,)
        assert said in capsys.readouterr().err


def test_the_command_that_repeats_a_run():
    assert command("x", Config(distributed=True)) == "python -m experiments.x --distributed"
