"""An experiment in many processes: they meet, compare their settings, and one of them writes."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NoReturn, TypeVar

import jax

from dl_jax.train.processes import check_alike, join
from experiments.options import Distributed, Output, Training

Config = TypeVar("Config", bound=Output)
_OWN = ("out", "process_id")  # what may differ between processes
# What JAX says of a failure that is this process' own, and not that the others are gone.
_OWN_FAULTS = ("RESOURCE_EXHAUSTED", "INVALID_ARGUMENT", "UNIMPLEMENTED")


class ProcessLostError(RuntimeError):
    """A computation that needs all processes failed, since one of them has ended."""


@contextmanager
def joined(experiment: str, config: Config) -> Iterator[Config]:
    """Join the other processes, if there are any, and yield the configuration to run here.

    Process 0 writes the run folder and prints. The others run the same program: their folders are
    temporary, and what they print goes nowhere, but for errors.

    Raises:
        ValueError: if the processes were not started alike.
        ConnectionError: if they have not met in time.
        ProcessLostError: if another process ended before the run did.
    """
    if not isinstance(config, Distributed):
        yield config
        return
    address = (config.coordinator, config.num_processes, config.process_id)
    if not config.distributed and all(part is None for part in address):
        yield config
        return
    join(*address)
    settings = {name: value for name, value in asdict(config).items() if name not in _OWN}
    settings |= {"experiment": experiment, "jax": jax.__version__}
    try:
        with TemporaryDirectory() as folder, open(os.devnull, "w") as nowhere:
            own = Path(folder) / "run"
            if jax.process_index() and isinstance(config, Training) and config.resume:
                _copy_run(config.out, own)
            # The first process waits here for the others: until then nobody changes what is copied.
            check_alike({name: repr(value) for name, value in settings.items()})
            if jax.process_index() == 0:
                yield config
            else:
                with redirect_stdout(nowhere):
                    yield replace(config, out=own)
    except jax.errors.JaxRuntimeError as error:
        if any(fault in str(error) for fault in _OWN_FAULTS):
            raise
        raise ProcessLostError(
            f"process {jax.process_index()} of {jax.process_count()}: the others no longer answer, "
            f"so one of them has ended; its own output says why ({str(error).splitlines()[0]})"
        ) from error


def _copy_run(folder: Path | None, own: Path) -> None:
    """Copy what another process needs to go on; of a folder that is no run's there is nothing."""
    if folder is None:
        return
    folder = folder.expanduser()
    own.mkdir()
    for name in ("config.json", "result.json"):
        if (folder / name).exists():
            shutil.copy(folder / name, own)
    if (folder / "checkpoints").exists():
        shutil.copytree(folder / "checkpoints", own / "checkpoints")


def leave(code: int) -> NoReturn:
    """Exit. One of many processes does so at once: JAX's shutdown would wait for the others."""
    if not jax.distributed.is_initialized():
        sys.exit(code)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
