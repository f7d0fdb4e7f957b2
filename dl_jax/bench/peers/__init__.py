"""Other frameworks at the same work, on the same machine, in one run.

Every worker imports this package, and a peer's process should hold that peer alone: `run_peers` is
imported, with JAX, when it is first used.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dl_jax.bench.peers.run import run_peers

__all__ = ["run_peers"]


def __getattr__(name: str):
    if name == "run_peers":
        from dl_jax.bench.peers.run import run_peers

        return run_peers
    raise AttributeError(f"module 'dl_jax.bench.peers' has no attribute {name!r}")
