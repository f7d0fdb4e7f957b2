"""Many processes that train as one: how they meet, and that they are set up alike."""

import hashlib
import json
import os
import socket
import sys
import threading

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jaxtyping import PyTree

WAIT = 120
"""Seconds in which all processes must have met; nodes of a cluster do not start together."""
HEARTBEAT = 100
"""Seconds without a sign of life after which a process counts as dead, and ends the others."""


def join(
    coordinator: str | None = None,
    num_processes: int | None = None,
    process_id: int | None = None,
    *,
    wait: int = WAIT,
) -> None:
    """Meet the other processes; before anything else is asked of JAX.

    Without arguments JAX finds them out from what started the processes: Slurm, Open MPI,
    Kubernetes, Cloud TPU. If they have not all met in time, the process is told so and ends with
    exit code 2: JAX can only be aborted while it waits.

    Args:
        coordinator: `HOST:PORT` of process 0, which listens there.
        num_processes: how many there are.
        process_id: which this one is, from 0.
        wait: seconds in which all must have come.

    Raises:
        ValueError: if the arguments are incomplete and no cluster completes them.
        ConnectionError: if process 0 cannot listen.
    """
    _check_address(coordinator, num_processes, process_id)
    where = f"coordinator {coordinator or 'at the address that the cluster gives'}"
    if coordinator is not None and process_id == 0:
        _check_port(where, int(coordinator.rpartition(":")[2]))
    # It would catch SIGTERM, by which clusters end a process, and let the process run on.
    jax.config.update("jax_enable_preemption_service", False)
    late = threading.Timer(wait, _give_up, (where, process_id, wait))
    late.daemon = True
    late.start()
    try:
        jax.distributed.initialize(
            coordinator,
            num_processes,
            process_id,
            initialization_timeout=wait + 60,  # behind ours: what JAX does then is to abort
            heartbeat_timeout_seconds=HEARTBEAT,
        )
    except ValueError as error:
        raise ValueError(
            "distributed: found none of Slurm, Open MPI, Kubernetes and Cloud TPU that would say "
            "which processes belong together; give coordinator, num_processes and process_id "
            f"({error})"
        ) from error
    finally:
        late.cancel()


def _check_port(where: str, port: int) -> None:
    """Raise a ConnectionError unless the port is free; JAX's service crashes where it is not."""
    try:
        socket.create_server(("", port)).close()
    except (OSError, OverflowError) as error:
        raise ConnectionError(
            f"{where}: process 0 cannot listen there ({error}); give another port"
        ) from error


def _give_up(where: str, process_id: int | None, wait: int) -> None:
    who = "not all processes have come" if process_id == 0 else "no answer, or not all have come"
    print(
        f"error: {where}: {who} within {wait} s; start all processes within that time, where this "
        "address leads to process 0 and its port is open",
        file=sys.stderr,
        flush=True,
    )
    os._exit(2)


def _check_address(
    coordinator: str | None, num_processes: int | None, process_id: int | None
) -> None:
    """Raise a ValueError for what no cluster could complete."""
    if coordinator is not None:
        host, _, port = coordinator.rpartition(":")
        if not (host and port.isdecimal()):
            raise ValueError(f"coordinator: expected HOST:PORT, got {coordinator}")
    if num_processes is not None and num_processes < 1:
        raise ValueError(f"num_processes: expected at least 1, got {num_processes}")
    if process_id is not None:
        below = "" if num_processes is None else f" to {num_processes - 1}"
        if process_id < 0 or (num_processes is not None and process_id >= num_processes):
            raise ValueError(f"process_id: expected from 0{below}, got {process_id}")


def check_alike(settings: dict[str, str]) -> None:
    """Raise a ValueError, in every process, unless all of them have the same settings.

    Every process must call it. Different programs would wait for each other for ever, and
    different data would train a network that nobody asked for.

    Args:
        settings: by name; a digest stands for what is large.
    """
    if jax.process_count() == 1:
        return
    mine = np.frombuffer(json.dumps(settings).encode(), np.uint8)
    sizes = multihost_utils.process_allgather(np.int32(mine.size))
    padded = np.zeros(sizes.max(), np.uint8)
    padded[: mine.size] = mine
    texts = multihost_utils.process_allgather(padded)
    first, *others = (
        json.loads(bytes(text[:size])) for text, size in zip(texts, sizes, strict=True)
    )
    different = [
        f"{name} is {first.get(name, 'missing')} in process 0 and {other.get(name, 'missing')} in "
        f"process {i}"
        for i, other in enumerate(others, 1)
        for name in first | other
        if first.get(name) != other.get(name)
    ]
    if different:
        more = f"; {len(different) - 3} more differ" if len(different) > 3 else ""
        raise ValueError(
            f"processes: expected the same settings in all of them, but {'; '.join(different[:3])}"
            f"{more}; start every process with the same command, data and version"
        )


def digest(tree: PyTree) -> str:
    """Return a short name of arrays and random keys, which others do not share."""
    sha = hashlib.sha256()
    for path, leaf in jax.tree.leaves_with_path(tree):
        is_key = isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        values = np.asarray(jax.random.key_data(leaf) if is_key else leaf)
        sha.update(f"{path} {values.dtype} {values.shape}".encode())
        sha.update(np.ascontiguousarray(values).data)
    return sha.hexdigest()[:12]
