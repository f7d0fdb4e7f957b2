"""Runs that go on: when one is kept, from where it goes on, and what Ctrl-C does meanwhile."""

import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import jax

from dl_jax.train import (
    Checkpoint,
    NonFiniteError,
    TrainState,
    load_checkpoint,
    on_one_device,
    save_checkpoint,
)
from dl_jax.train.checkpoints import checkpoints_in
from dl_jax.train.checks import check_totals
from dl_jax.train.nonfinite import are_finite, learned
from experiments.folders import resume_command, settings_of
from experiments.options import Stopped, Training, command, end_in_order
from experiments.record import Record

_SHARE = 50  # times as long as writing one took is waited before the next checkpoint
_FIRST = 10.0  # seconds before the first one


class Kept(NamedTuple):
    """What training is given, so that a run can go on.

    Attributes:
        start: where it goes on; None for a run from the start.
        keep: called with each checkpoint that could be kept; None where nothing is.
    """

    start: Checkpoint | None
    keep: Callable[[Checkpoint], None] | None


@contextmanager
def resumable(record: Record, like: Callable[[], TrainState], **about: Any) -> Iterator[Kept]:
    """Yield where the next training of a run goes on and what keeps it; as `kept`.

    Args:
        record: of a run whose options are `Training`.
        like: returns shapes of its state.
        about: what else has to be the same for it to go on.
    """
    config, data = record.config, record.result["data"]
    assert isinstance(config, Training)
    record.trainings += 1
    shapes = like() if config.resume else None
    about |= {"data": data and data["digest"]}
    name = record.result["experiment"]
    with kept(record.folder, name, config, record.trainings, shapes, about) as found:
        if config.resume:
            step = found.start.step if found.start else 0
            print(f"Training {record.trainings} goes on behind step {step}", flush=True)
        yield found


@contextmanager
def kept(
    folder: Path,
    experiment: str,
    config: Training,
    stage: int,
    like: TrainState | None,
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
        like: shapes of its state; None for a run from the start.
        about: what else has to be the same for it to go on.

    Raises:
        Stopped: after Ctrl-C or SIGTERM, once the run is kept.
        CheckpointError: if a checkpoint cannot be written.
        FloatingPointError: as `fit` or an ensemble raises it, with what is kept.
        ValueError: if the run is resumed and its checkpoints do not fit or are all damaged.
    """
    place = folder / "checkpoints" / str(stage)
    about = {"experiment": experiment, "config": settings_of(vars(config)), **about}
    start = None if like is None else _loaded(place, like, about)
    if start:  # before anything is written
        check_totals(len(start.totals), start.totals, config.nonfinite)
    resume = resume_command(experiment, config, folder)
    last, newest = start.step if start else 0, start
    due = time.monotonic() + _FIRST

    def write(checkpoint: Checkpoint) -> None:
        nonlocal last, due
        own = on_one_device(checkpoint.state)
        # Parameters that went wrong within an epoch are found at its end: they are not kept.
        # Of a sweep some points may have gone wrong, which end no run.
        if config.sweep or are_finite(learned(own)):
            started = time.monotonic()
            save_checkpoint(place, checkpoint._replace(state=own), about)
            ended = time.monotonic()
            last, due = checkpoint.step, ended + _SHARE * (ended - started)

    with _heard() as signals:

        def keep(checkpoint: Checkpoint) -> None:
            nonlocal newest
            newest, step = checkpoint, checkpoint.step
            if config.checkpoint_every:
                asked = step // config.checkpoint_every > last // config.checkpoint_every
            else:
                asked = not checkpoint.totals and time.monotonic() >= due
            if asked or signals:
                write(checkpoint)
            if signals:
                raise Stopped(signals[0], resume if checkpoints_in(place) else "")

        try:
            yield Kept(start, keep if jax.process_index() == 0 else None)
        except FloatingPointError as error:
            found = checkpoints_in(place)
            again = f"{resume if found else command(experiment, config)} --nonfinite skip"
            where = f"The last finite checkpoint is {found[-1]}" if found else "No checkpoint"
            way = "go on" if found else "begin again"
            hint = f". {where}; to leave such updates out, {way} with\n  {again}"
            if isinstance(error, NonFiniteError):
                raise NonFiniteError(error.step, error.epoch, error.place, hint) from error
            raise FloatingPointError(f"{error}{hint}") from error
    if signals:  # heard behind the last call
        if newest and newest.step != last:
            write(newest)
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
