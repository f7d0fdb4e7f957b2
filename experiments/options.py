"""What every experiment takes on the command line, and how a configuration is run."""

import errno
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields
from dataclasses import field as dataclass_field
from pathlib import Path
from typing import Literal, TypeVar

from dl_jax import report
from dl_jax.data import DataCorrupted, DataNotFound
from dl_jax.train import CheckpointError, NonFinite, NonFiniteError

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
class Training(Options):
    """The options of what trains with `training.train`; none changes what is to be learned."""

    resume: bool = dataclass_field(default=False, kw_only=True)
    """Go on with the run in the folder that --out names."""
    checkpoint_every: int | None = dataclass_field(default=None, kw_only=True)
    """Steps between two checkpoints; behind epochs, for at most 2 % of the time, unless given."""
    nonfinite: NonFinite = dataclass_field(default="stop", kw_only=True)
    """Whether numbers that are not finite end the run, or their updates are left out."""


class Stopped(KeyboardInterrupt):
    """Ctrl-C or SIGTERM, after the run was kept."""

    def __init__(self, number: int, resume: str):
        """Carry the signal's number and the command by which the run goes on."""
        super().__init__()
        self.number, self.resume = number, resume


def command(experiment: str, config: Output) -> str:
    """Return the command line that repeats a run: the options that differ from their defaults."""
    words = [f"python -m experiments.{experiment}"]
    for field in fields(config):
        value = getattr(config, field.name)
        if value != field.default and field.name not in ("out", "resume"):
            parts = map(str, value) if isinstance(value, tuple) else [str(value)]
            words += [f"--{field.name.replace('_', '-')}", *parts]
    return " ".join(words)


def changed(config: Output) -> list[str]:
    """Return the hyperparameters that are not the experiment's own, as `name value`.

    How gradients are got is none: derived by hand or automatically, they are the same.
    """
    same = {"gradients", "precision", "network", "dataset", "names"}
    same |= {field.name for field in fields(Training)}
    mine = [f for f in fields(config) if f.name not in same]
    values = ((f, getattr(config, f.name)) for f in mine)
    return [f"{f.name} {value}" for f, value in values if value != f.default]


def check(config: Output) -> None:
    """Raise a ValueError unless there is an epoch and a batch; sooner than any data is loaded."""
    for name in ("num_epochs", "batch_size", "checkpoint_every"):
        value = getattr(config, name, None)
        if value is not None and value < 1:
            raise ValueError(f"{name}: expected at least 1, got {value}")


Config = TypeVar("Config", bound=Output)


def main(experiment: str, config: type[Config], run: Callable[[Config], object]) -> None:
    """Parse the command line into a configuration and run the experiment.

    Bad input ends with one message and exit code 2, Ctrl-C with 130, SIGTERM in training with 143;
    numbers that are not finite, and a full disk, with one message and exit code 1.
    """
    import tyro

    try:
        run(tyro.cli(config, prog=f"python -m experiments.{experiment}"))
    except (DataNotFound, DataCorrupted, report.RunFolderError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except (NonFiniteError, CheckpointError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        print(f"error: {error}; the checkpoints that are there are whole", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt as stop:
        kept = ": what was finished by then is kept" if stop.__cause__ else ""
        cause, code = stop.__cause__ or stop, 128 + signal.SIGINT
        if isinstance(cause, Stopped):
            kept, code = f"; it goes on with\n  {cause.resume}", 128 + cause.number
        print(f"interrupted{kept}", file=sys.stderr)
        sys.exit(code)
