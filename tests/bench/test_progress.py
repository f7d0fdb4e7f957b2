"""What is shown on stderr, and when."""

import io
import time

import pytest

from dl_jax.bench import progress as module
from dl_jax.bench.progress import progress


class Stderr(io.StringIO):
    """A stream that may be a terminal."""

    terminal = False

    def isatty(self) -> bool:
        return self.terminal


@pytest.fixture
def open_stderr(monkeypatch):
    """Put a stream in the place of stderr; in the test, for pytest puts its own there before."""

    def put(*, terminal: bool = False, patience: float = 0.001) -> Stderr:
        stream = Stderr()
        stream.terminal = terminal
        monkeypatch.setattr(module.sys, "stderr", stream)
        monkeypatch.setattr(module, "_PATIENCE", patience)
        return stream

    return put


def wait_for(stream: Stderr, text: str) -> None:
    give_up = time.monotonic() + 20
    while text not in stream.getvalue():
        assert time.monotonic() < give_up, f"{text!r} was never written"
        time.sleep(0.001)


def test_a_new_text_is_written_once_by_and_by(open_stderr):
    stderr = open_stderr()
    with progress() as show:
        for text in ("compiling", "compiling", "first run"):
            show(text)
            wait_for(stderr, text)
    assert stderr.getvalue() == "compiling\nfirst run\n"


def test_nothing_is_written_of_what_takes_less_than_two_seconds(open_stderr):
    stderr = open_stderr(patience=2.0)
    with progress() as show:
        show("compiling")
    assert stderr.getvalue() == ""


def test_on_a_terminal_there_is_one_line_and_it_is_gone_at_the_end(open_stderr):
    stderr = open_stderr(terminal=True)
    with progress() as show:
        for text in ("compiling", "x" * 200):
            show(text)
            wait_for(stderr, text[:78])
    clear = "\r\x1b[K"
    assert stderr.getvalue() == f"{clear}compiling{clear}{'x' * 78}{clear}"


def test_an_error_ends_it(open_stderr):
    stderr = open_stderr()

    def measure():
        with progress() as show:
            show("compiling")
            wait_for(stderr, "compiling")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        measure()
