"""Run folders: who writes one, whether its run can go on, and by which command line it does."""

import json
import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dl_jax import report
from dl_jax.report.runs import read_result
from dl_jax.train import differences
from experiments.options import Training, command

# What a run may change when it goes on: nothing of it changes what is learned. The number of
# epochs is not among them, since a schedule of learning rates may depend on it.
_FREE = ("out", "resume", "checkpoint_every", "nonfinite", "tensorboard")
_FREE += ("distributed", "coordinator", "num_processes", "process_id")


def resume_command(experiment: str, config: Training, folder: Path) -> str:
    """Return the command line by which a run goes on."""
    return f"{command(experiment, config)} --out {shlex.quote(str(folder))} --resume"


def check_resumable(folder: Path | None, experiment: str, config: Training) -> Path:
    """Return the folder, if it is one of a run of these settings that has not finished.

    Raises:
        ValueError: if it is none; says why.
    """
    if folder is None:
        raise ValueError("resume: expected the folder of the run, --out FOLDER --resume")
    folder = folder.expanduser()
    if not (folder / "result.json").exists():
        raise ValueError(
            f"{folder}: no run folder, there is no result.json in it; without --resume a run begins"
        )
    result = read_result(folder)
    name = result["experiment"]
    if name != experiment:
        raise ValueError(f"{folder}: a run of experiments.{name}, not of experiments.{experiment}")
    if result["status"] == "finished":
        raise ValueError(f"{folder}: the run has finished; without --resume another one begins")
    other = differences(settings_of(result["config"]), settings_of(vars(config)))
    if other:
        raise ValueError(f"{folder}: the run has other settings: {'; '.join(other)}")
    return folder


@contextmanager
def written_alone(folder: Path) -> Iterator[None]:
    """Keep other processes from writing the run folder; the lock ends with this process at last.

    Raises:
        RunFolderError: if another process writes it.
    """
    try:
        import fcntl
    except ModuleNotFoundError:  # Windows has none
        yield
        return
    with open(folder / ".lock", "a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise report.RunFolderError(
                f"{folder}: another process writes this run, number {file.read().strip()}; wait "
                "for it, or choose another folder with --out FOLDER"
            ) from error
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def settings_of(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of options has to stay the same, as JSON has it."""
    return json.loads(
        report.json_text({name: v for name, v in options.items() if name not in _FREE})
    )
