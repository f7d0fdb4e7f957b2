"""Every test has folders of its own and no network."""

import functools
import hashlib
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from dl_jax.data import official

from .samples import idx_bytes, register


@pytest.fixture(autouse=True)
def _isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test touches the user's cache or data sets, nor the network."""
    monkeypatch.setenv("DL_JAX_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    monkeypatch.setitem(official.PACKAGES, "fashion_mnist", tmp_path / "package")
    # Port 9 ("discard") of this machine: every connection is refused at once.
    register(monkeypatch, "http://127.0.0.1:9", tmp_path)


@pytest.fixture
def images(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """Five training and three test images of 28x28, which pass for MNIST in this test."""
    random = np.random.default_rng(0)
    arrays = []
    for n in (5, 3):
        arrays += [random.integers(0, 256, (n, 28, 28), np.uint8), np.arange(n, dtype=np.uint8)]
    digests = [hashlib.sha256(idx_bytes(array)).hexdigest() for array in arrays]
    facts = official.IMAGE_SETS["mnist"]._replace(content=tuple(digests))
    monkeypatch.setitem(official.IMAGE_SETS, "mnist", facts)
    return arrays


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], list[str]]]:
    """Serve a folder on this machine and register it; returns the list of requests, as made."""
    servers = []

    def start(folder: Path) -> list[str]:
        requests: list[str] = []

        class Handler(SimpleHTTPRequestHandler):
            def log_message(self, format: str, *args: object) -> None:
                requests.append(f"{self.command} {self.path}")

        handler = functools.partial(Handler, directory=str(folder))
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        servers.append((server, thread))
        register(monkeypatch, f"http://127.0.0.1:{server.server_address[1]}", folder)
        return requests

    yield start
    for server, thread in servers:
        server.shutdown()
        server.server_close()
        thread.join()
