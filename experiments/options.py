"""What every experiment takes on the command line, and how a configuration is run."""

import errno
import gc
import shlex
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, fields
from dataclasses import field as dataclass_field
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np

from dl_jax import report
from dl_jax.data import DataCorrupted, DataNotFound
from dl_jax.models.precision import Precision
from dl_jax.train import CheckpointError, NonFinite
from dl_jax.train.gpu_graphs import convolutions_in_graphs
from dl_jax.train.kept_memory import allocate_in_main_thread, keep_freed_memory
from experiments import COLLECTS_LATER
from experiments.determinism import DETERMINISTIC, is_deterministic, make_deterministic
from experiments.grid import grid_of

_LARGEST = float(np.finfo(np.float32).max)

DataMode = Literal["auto", "real", "embedded"]
Gradients = Literal["autodiff", "hand"]


@dataclass(frozen=True)
class Output:
    """The option that everything with a page has."""

    out: Path | None = dataclass_field(default=None, kw_only=True)
    """The run folder; runs/NAME-N unless given. An existing one is never written to."""


@dataclass(frozen=True)
class Options(Output):
    """The options that all experiments on data share."""

    data: DataMode = "auto"
    """The real set, the embedded stand-in, or the real one where it can be had."""
    seed: int = 0
    """From which all randomness comes."""


@dataclass(frozen=True)
class Distributed(Options):
    """The options by which processes meet, to compute as one."""

    distributed: bool = dataclass_field(default=False, kw_only=True)
    """One of the processes that Slurm, Open MPI, Kubernetes or a Cloud TPU has started."""
    coordinator: str | None = dataclass_field(default=None, kw_only=True)
    """HOST:PORT of process 0, of processes that something else has started."""
    num_processes: int | None = dataclass_field(default=None, kw_only=True)
    """How many of them there are."""
    process_id: int | None = dataclass_field(default=None, kw_only=True)
    """Which of them this one is, from 0."""


@dataclass(frozen=True)
class Training(Distributed):
    """The options of what trains with `training.train`; none changes what is to be learned."""

    tensorboard: bool = dataclass_field(default=False, kw_only=True)
    """Write history and pictures for TensorBoard as well, into the run folder."""
    seeds: int = dataclass_field(default=1, kw_only=True)
    """How many are trained in one program, from --seed on; figures are their means."""
    sweep: tuple[str, ...] = dataclass_field(default=(), kw_only=True)
    """NAME=VALUE,VALUE,...: settings to train with, all combinations in one program."""
    precision: Precision = dataclass_field(default="float32", kw_only=True)
    """Of what the layers compute; with bfloat16 parameters and sums stay in float32."""
    deterministic: bool = dataclass_field(default=False, kw_only=True)
    """The same bits each time on a GPU as well, where sums run in any order otherwise."""
    resume: bool = dataclass_field(default=False, kw_only=True)
    """Go on with the run in the folder that --out names."""
    checkpoint_every: int | None = dataclass_field(default=None, kw_only=True)
    """Steps between two checkpoints; behind epochs, for at most 2 % of the time, unless given."""
    nonfinite: NonFinite = dataclass_field(default="stop", kw_only=True)
    """Whether numbers that are not finite end the run, or their updates are left out."""


class Stopped(KeyboardInterrupt):
    """Ctrl-C or SIGTERM; in training, after the run was kept."""

    def __init__(self, number: int, resume: str = ""):
        """Carry the signal's number and, if there is one, the command by which the run goes on."""
        super().__init__()
        self.number, self.resume = number, resume


def end_in_order(number: int, frame: object) -> None:
    """End a run as Ctrl-C does; a handler of SIGTERM."""
    raise Stopped(number)


def command(experiment: str, config: Output) -> str:
    """Return the command line that repeats a run: the options that differ from their defaults."""
    words = [f"python -m experiments.{experiment}"]
    for field in fields(config):
        value = getattr(config, field.name)
        if value != field.default and field.name not in ("out", "resume"):
            name = field.name.replace("_", "-")
            if isinstance(value, bool):
                words.append(f"--{name}" if value else f"--no-{name}")
                continue
            parts = map(str, value) if isinstance(value, tuple) else [str(value)]
            words += [f"--{name}", *map(shlex.quote, parts)]
    return " ".join(words)


def changed(config: Output) -> list[str]:
    """Return the hyperparameters that are not the experiment's own, as `name value`.

    How gradients are got is none: derived by hand or automatically, they are the same. Nor is how
    often something is timed.
    """
    same = {"gradients", "precision", "network", "dataset", "names", "rounds"}
    same |= {field.name for field in fields(Training)}
    mine = [f for f in fields(config) if f.name not in same]
    values = ((f, getattr(config, f.name)) for f in mine)
    return [f"{f.name} {value}" for f, value in values if value != f.default]


def check(config: Output) -> None:
    """Raise a ValueError for settings that nothing can be run with; before any data is loaded."""
    counts = ("num_epochs", "batch_size", "seeds", "checkpoint_every")
    for name in (*counts, "num_students", "rounds", "repeats", "steps", "image_size"):
        number = getattr(config, name, 1)
        if number is not None and number < 1:
            raise ValueError(f"{name}: expected at least 1, got {number}")
    rate = getattr(config, "learning_rate", None)
    if rate is not None and not 0 <= rate <= _LARGEST:
        raise ValueError(f"learning_rate: expected 0 to {_LARGEST:.3g}, as float32 has, got {rate}")
    seed, seeds = getattr(config, "seed", 0), getattr(config, "seeds", 1)
    if not -(2**63) <= seed < 2**63 - seeds:
        raise ValueError(f"seed: expected a number of 64 bits, got {seed}")
    if not isinstance(config, Training):
        return
    grid_of(config.sweep, config)
    if config.tensorboard and find_spec("tensorboardX") is None:
        raise ValueError(
            "--tensorboard needs tensorboardX, which is not installed: "
            "pip install 'dl-jax[tensorboard]', or leave it out"
        )
    if config.precision == "bfloat16" and getattr(config, "gradients", "") == "hand":
        raise ValueError(
            "precision: a hand derivation computes in the precision of its parameters, which stay "
            "in float32; use --gradients autodiff, or --precision float32 or float64"
        )
    if config.deterministic and not is_deterministic():
        raise ValueError(
            "deterministic: a GPU reads its flags once, before the first use of a device; set "
            f"XLA_FLAGS={DETERMINISTIC} before Python starts, or begin from the command line"
        )


def set_up_process() -> None:
    """Let the process keep what it frees, and look for garbage among what it makes from now on."""
    if COLLECTS_LATER:
        gc.freeze()  # else the first pass would go through what was imported after all
        gc.enable()
    keep_freed_memory()
    allocate_in_main_thread()


Config = TypeVar("Config", bound=Output)


def main(experiment: str, config: type[Config], run: Callable[[Config], object]) -> None:
    """Parse the command line into a configuration and run the experiment.

    Bad input ends with one message and exit code 2, Ctrl-C with 130, SIGTERM with 143; numbers
    that are not finite, a full disk, or the loss of another process with one message and exit
    code 1.
    """
    import tyro

    from experiments.processes import ProcessLostError, joined, leave

    if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, end_in_order)
    set_up_process()
    try:
        given = tyro.cli(config, prog=f"python -m experiments.{experiment}")
        if getattr(given, "deterministic", False):
            make_deterministic()
        with convolutions_in_graphs(), joined(experiment, given) as mine:
            run(mine)
    except (
        DataNotFound, DataCorrupted, report.RunFolderError, ConnectionError, ValueError
    ) as error:  # fmt: skip
        print(f"error: {error}", file=sys.stderr)
        leave(2)
    except (FloatingPointError, CheckpointError, ProcessLostError) as error:
        print(f"error: {error}", file=sys.stderr)
        leave(1)
    except KeyboardInterrupt as stop:
        kept = ": what was finished by then is kept" if stop.__cause__ else ""
        cause, code = stop.__cause__ or stop, 128 + signal.SIGINT
        if isinstance(cause, Stopped):
            code = 128 + cause.number
        resume = getattr(cause, "resume", "") or getattr(stop, "resume", "")
        if resume:
            kept = f"; it goes on with\n  {resume}"
        print(f"interrupted{kept}", file=sys.stderr)
        leave(code)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            print(f"error: {error}; the checkpoints that are there are whole", file=sys.stderr)
        else:
            traceback.print_exc()
        leave(1)  # at once: of many processes, Python's own end would wait for the others
