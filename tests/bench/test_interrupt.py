"""Ctrl-C waits for the end of a stage, once."""

import os
import signal
import threading

import pytest

from dl_jax.bench.interrupt import held_back


@pytest.fixture(autouse=True)
def usual():
    """Also where a shell keeps Ctrl-C from what runs behind it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def press():
    os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_is_raised_between_two_stages():
    said, stages = [], []

    def measure():
        with held_back(said.append) as show:
            show("compiling")
            press()
            stages.append("compiled")
            show("first run")
            stages.append("ran")

    with pytest.raises(KeyboardInterrupt):
        measure()
    assert stages == ["compiled"]
    assert said[0] == "compiling"
    assert said[1].startswith("interrupted, this stage is the last one")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_in_the_last_stage_is_raised_behind_it():
    stages = []

    def measure():
        with held_back(lambda text: None):
            press()
            stages.append("ran")

    with pytest.raises(KeyboardInterrupt):
        measure()
    assert stages == ["ran"]


def test_a_second_ctrl_c_is_raised_at_once():
    stages = []

    def measure():
        with held_back(lambda text: None):
            press()
            stages.append("once")
            press()
            stages.append("twice")

    with pytest.raises(KeyboardInterrupt):
        measure()
    assert stages == ["once"]


def test_without_ctrl_c_nothing_is_raised_and_what_was_set_stays_set():
    said = []
    with held_back(said.append) as show:
        show("compiling")
    assert said == ["compiling"]
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as under nohup
    try:
        with held_back(said.append):
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
            press()
    finally:
        signal.signal(signal.SIGINT, before)


def test_in_another_thread_it_leaves_signals_alone():
    entered = []

    def run():
        with held_back(entered.append) as show:
            show("compiling")

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert entered == ["compiling"]
