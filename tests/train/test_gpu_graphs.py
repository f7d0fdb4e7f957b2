"""XLA's flag that lets convolutions into CUDA graphs."""

import os
import subprocess
import sys

import pytest

from dl_jax.train.gpu_graphs import convolutions_in_graphs

ADDED = "--xla_gpu_enable_command_buffer=+CONVOLUTION"


@pytest.mark.parametrize(
    ("before", "within"),
    [
        (None, ADDED),
        ("--xla_gpu_autotune_level=0", f"--xla_gpu_autotune_level=0 {ADDED}"),
        ("--xla_gpu_enable_command_buffer=", "--xla_gpu_enable_command_buffer="),  # no graphs
    ],
)
def test_it_is_added_to_what_is_asked_for_and_taken_back(before, within, monkeypatch):
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    if before is not None:
        monkeypatch.setenv("XLA_FLAGS", before)
    with convolutions_in_graphs():
        assert os.environ["XLA_FLAGS"] == within
    assert os.environ.get("XLA_FLAGS") == before


def test_xla_knows_it():
    """It ends the process at a flag, or a kind of command, that it does not know."""
    code = "import jax; jax.devices()"
    for flag, ends in ((ADDED, False), (f"{ADDED}S", True)):
        environment = {**os.environ, "XLA_FLAGS": flag}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
        assert (done.returncode != 0) == ends, done.stderr
