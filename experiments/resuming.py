"""Runs that go on: who writes a run folder, when a run is kept, and what Ctrl-C does meanwhile."""

import json
import os
import shlex
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax

from dl_jax import report
from dl_jax.report.runs import read_result
from dl_jax.train import (
    Checkpoint,
    NonFiniteError,
    TrainState,
    differences,
    load_checkpoint,
    on_one_device,
    save_checkpoint,
)
from dl_jax.train.checkpoints import checkpoints_in
from dl_jax.train.nonfinite import are_finite, learned
from experiments.options import Stopped, Training, command, end_in_order

_SHARE = 50  # times as long as writing one took is waited before the next checkpoint
_FIRST = 10.0  # seconds before the first one
# What a run may change when it goes on: nothing of it changes what is learned. The number of
# epochs is not among them, since a schedule of learning rates may depend on it.
_FREE = ("out", "resume", "checkpoint_every", "nonfinite", "tensorboard")
_FREE += ("distributed", "coordinator", "num_processes", "process_id")


class Kept(NamedTuple):
    """What `fit` is given, so that a run can go on.

    Attributes:
        start: where it goes on; None for a run from the start.
        keep: called with each checkpoint that could be kept; None where nothing is.
    """

    start: Checkpoint | None
    keep: Callable[[Checkpoint], None] | None


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
    other = differences(_settings(result["config"]), _settings(vars(config)))
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


@contextmanager
def kept(
    folder: Path,
    experiment: str,
    config: Training,
    stage: int,
    like: TrainState | Literal[False],
    about: dict[str, Any],
) -> Iterator[Kept]:
    """Yield where training goes on and what keeps it; hear Ctrl-C and SIGTERM meanwhile.

    Checkpoints are made as the configuration asks; unless it does, behind an epoch whenever fifty
    times as long has passed as writing the last one took. Ctrl-C and SIGTERM make one too.

    Args:
        folder: of the run.
        experiment: its name.
        config: its options.
        stage: which training of the run this is, from 1.
        like: shapes of its state; False for a run from the start.
        about: what else has to be the same for it to go on.

    Raises:
        Stopped: after Ctrl-C or SIGTERM, once the run is kept.
        CheckpointError: if a checkpoint cannot be written.
        NonFiniteError: as `fit`, with what is kept.
        ValueError: if the run is resumed and its checkpoints do not fit or are all damaged.
    """
    place = folder / "checkpoints" / str(stage)
    about = {"experiment": experiment, "config": _settings(vars(config)), **about}
    start = _loaded(place, like, about) if like else None
    resume = resume_command(experiment, config, folder)
    last = int(start.state.step) if start else 0
    due = time.monotonic() + _FIRST

    with _heard() as signals:

        def keep(checkpoint: Checkpoint) -> None:
            nonlocal last, due
            step, between = int(checkpoint.state.step), not checkpoint.totals
            if config.checkpoint_every:
                asked = step // config.checkpoint_every > last // config.checkpoint_every
            else:
                asked = between and time.monotonic() >= due
            if not (asked or signals):
                return
            own = on_one_device(checkpoint.state)
            # Parameters that went wrong within an epoch are found at its end: they are not kept.
            if are_finite(learned(own)):
                started = time.monotonic()
                save_checkpoint(place, checkpoint._replace(state=own), about)
                ended = time.monotonic()
                last, due = step, ended + _SHARE * (ended - started)
            if signals:
                raise Stopped(signals[0], resume if checkpoints_in(place) else "")

        try:
            yield Kept(start, keep if jax.process_index() == 0 else None)
        except NonFiniteError as error:
            found = checkpoints_in(place)
            again = f"{resume if found else command(experiment, config)} --nonfinite skip"
            where = f"The last finite checkpoint is {found[-1]}" if found else "No checkpoint"
            way = "go on" if found else "begin again"
            hint = f". {where}; to leave such updates out, {way} with\n  {again}"
            raise NonFiniteError(error.step, error.epoch, error.place, hint) from error
    if signals:
        raise Stopped(signals[0], resume)


def _loaded(place: Path, like: TrainState, about: dict[str, Any]) -> Checkpoint | None:
    """The newest good checkpoint; what is wrong with others is said without a line of Python."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        start = load_checkpoint(place, like, about)
    for warning in caught:
        print(f"warning: {warning.message}", file=sys.stderr)
    return start


@contextmanager
def _heard() -> Iterator[Sequence[int]]:
    """Yield a list of the signals heard in this block; a second Ctrl-C interrupts at once.

    What somebody else has decided on, as a shell that keeps Ctrl-C from what runs behind it, stays.
    Of many processes the first one hears them: it keeps the run, and its end is that of the others.
    """
    heard: list[int] = []
    usual = {
        signal.SIGINT: (signal.default_int_handler,),
        signal.SIGTERM: (signal.SIG_DFL, end_in_order),
    }
    now = {number: signal.getsignal(number) for number in usual}
    before = {number: how for number, how in now.items() if how in usual[number]}
    if threading.current_thread() is not threading.main_thread():
        before = {}  # no other thread may set them

    def handle(number: int, frame: object) -> None:
        if heard and number == signal.SIGINT:
            raise KeyboardInterrupt
        heard.append(number)
        os.write(2, b"the run is being kept; Ctrl-C to stop at once\n")  # safe in a handler

    for number in before:
        signal.signal(number, signal.SIG_IGN if jax.process_index() else handle)
    try:
        yield heard
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _settings(options: Mapping[str, Any]) -> dict[str, Any]:
    """What of options has to stay the same, as JSON has it."""
    return json.loads(
        report.json_text({name: v for name, v in options.items() if name not in _FREE})
    )
