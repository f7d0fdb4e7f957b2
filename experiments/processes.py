"""An experiment in many processes: they meet, compare their settings, and one of them writes."""

import os
import shutil
import sys
import traceback
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
        check_alike({name: repr(value) for name, value in settings.items()})
        if jax.process_index() == 0:
            yield config
        else:
            with (
                TemporaryDirectory() as folder,
                open(os.devnull, "w") as nowhere,
                redirect_stdout(nowhere),
            ):
                own = Path(folder) / "run"
                resumed = isinstance(config, Training) and config.resume
                if resumed and config.out:  # each goes on from the same checkpoints
                    shutil.copytree(config.out, own)
                yield replace(config, out=own)
    except jax.errors.JaxRuntimeError as error:
        raise ProcessLostError(
            f"process {jax.process_index()} of {jax.process_count()}: the others no longer answer, "
            f"so one of them has ended; its own output says why ({str(error).splitlines()[0]})"
        ) from error
    except (AssertionError, AttributeError, KeyError, IndexError, TypeError):  # mistakes of ours
        traceback.print_exc()
        leave(1)


def leave(code: int) -> NoReturn:
    """Exit. One of many processes does so at once: JAX's shutdown would wait for the others."""
    if not jax.distributed.is_initialized():
        sys.exit(code)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
