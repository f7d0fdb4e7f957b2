"""The progress bar: there on a terminal, absent elsewhere."""

import io

import jax.numpy as jnp
import pytest

from dl_jax.train.progress import progress_bar


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("stream", "shown"), [(Terminal(), True), (io.StringIO(), False)])
def test_the_bar_shows_epoch_figures_and_speed_on_a_terminal(stream, shown, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr("sys.stderr", stream)
    with progress_bar(2, 10, show=True) as advance:
        advance(10, {"loss": jnp.array(5.0)}, 10)
        advance(5, {"loss": jnp.array(4.0)}, 5)
    drawn = stream.getvalue()
    for words in ("epoch 2/2", "loss 0.8000", "examples/s"):
        assert (words in drawn) == shown
