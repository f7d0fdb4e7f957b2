"""The peers by name, and what each needs."""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import NamedTuple

from dl_jax.bench.peers.problem import WORKLOADS

OURS = "dl_jax"


class Entry(NamedTuple):
    """A peer, before anything of it is imported.

    Attributes:
        module: the file here that has it.
        needs: the packages that it imports.
        workloads: what it can train.
        environment: variables of its process.
    """

    module: str
    needs: tuple[str, ...] = ()
    workloads: tuple[str, ...] = tuple(WORKLOADS)
    environment: Mapping[str, str] = {}


def _keras(backend: str, package: str) -> Entry:
    environment = {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    return Entry("keras_fit", ("keras", package), environment=environment)


PEERS: dict[str, Entry] = {
    "torch": Entry("torch_eager", ("torch",)),
    "torch_channels_last": Entry("torch_eager", ("torch",), ("mnist_cnn",)),
    "torch_embedding_bag": Entry("torch_eager", ("torch",), ("imdb_bow",)),
    "torch_sparse": Entry("torch_eager", ("torch",), ("imdb_bow",)),
    "torch_compile": Entry("torch_compile", ("torch",)),
    "keras_jax": _keras("jax", "jax"),
    "keras_tensorflow": _keras("tensorflow", "tensorflow"),
    "keras_torch": _keras("torch", "torch"),
    "flax": Entry("plain_flax"),
    "flax_scan": Entry("plain_flax"),
    "numpy": Entry("numpy_by_hand"),
    "pytensor": Entry("pytensor_graph", ("pytensor",)),
}


def entry(name: str) -> Entry:
    """Return the peer of that name, or this project itself as `"dl_jax"`.

    Raises:
        ValueError: if there is none; names those that exist.
    """
    if name == OURS:
        return Entry("ours")
    if name not in PEERS:
        raise ValueError(f"unknown peer {name!r}; the peers are {', '.join(PEERS)}")
    return PEERS[name]


def missing(name: str) -> str | None:
    """Return why a peer cannot run here, as nothing is imported to find out; None if it can."""
    absent = [package for package in entry(name).needs if find_spec(package) is None]
    if not absent:
        return None
    verb = "is" if len(absent) == 1 else "are"
    return f"{' and '.join(absent)} {verb} not installed: pip install dl-jax[peers]"
