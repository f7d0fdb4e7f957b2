"""What `dl-jax bench` was asked for: the cases, and the command line that asks for them again."""

import argparse
import shlex
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from dl_jax.bench.case import Case
from dl_jax.bench.devices import choose_devices
from dl_jax.bench.examples import SOURCES
from dl_jax.bench.variants import ENSEMBLE, RUN, VARIANTS
from dl_jax.bench.workloads import LECTURE, make_workload
from dl_jax.models.precision import PRECISIONS

DEFAULT_MEMBERS, DEFAULT_EPOCHS = 4, 2
_Name = TypeVar("_Name", bound=str)


def cases_of(options: argparse.Namespace) -> list[Case]:
    """Return every combination of what was asked for, workload by workload.

    Raises:
        ValueError: for what there is not.
    """
    variants = _known("variant", options.variant or list(VARIANTS), VARIANTS)
    precisions = _known("precision", options.precision or ["float32"], PRECISIONS)
    (source,) = _known("data", [options.data], SOURCES)
    many = _positive("ensemble", options.ensemble, DEFAULT_MEMBERS)
    epochs = _positive("epochs", options.epochs, DEFAULT_EPOCHS)
    _positive("repeats", options.repeats, 1)
    for option, value, of in (
        ("ensemble", options.ensemble, (ENSEMBLE,)),
        ("epochs", options.epochs, (RUN, ENSEMBLE)),
    ):
        if value is not None and not set(of) & set(variants):
            raise ValueError(f"--{option}: only with --variant {' or '.join(of)}")
    devices = choose_devices(options.device or ())
    names = list(dict.fromkeys(options.workloads or LECTURE))
    workloads = [
        make_workload(name, image_size=options.image_size, batch_size=batch_size)
        for name in names
        for batch_size in dict.fromkeys(options.batch_size or [None])
    ]
    cases = [
        Case(workload, variant, precision, epochs, many, source, device, name)
        for name, device in devices.items()
        for workload in workloads
        for precision in precisions
        for variant in variants
    ]
    if options.peers and not set(names) & set(LECTURE):
        raise ValueError(f"--peers: there are peers for {', '.join(LECTURE)}, got {names}")
    if options.peers and options.device:
        raise ValueError(
            "--device, --peers: peers choose their device themselves, expected one or the other"
        )
    return cases


def _known(option: str, asked: Sequence[Any], existing: Iterable[_Name]) -> list[_Name]:
    known = {str(name): name for name in existing}
    for name in asked:
        if name not in known:
            raise ValueError(f"--{option}: unknown {option} {name!r}; there are {', '.join(known)}")
    return [known[name] for name in dict.fromkeys(asked)]


def _positive(option: str, value: int | None, default: int) -> int:
    if value is not None and value < 1:
        raise ValueError(f"--{option}: expected at least 1, got {value}")
    return default if value is None else value


def command_of(options: argparse.Namespace) -> str:
    """Return the command line that repeats the benchmark, without where its results go."""
    words = ["dl-jax", "bench", *options.workloads]
    asked = ("variant", "batch_size", "precision", "image_size", "ensemble", "epochs", "repeats",
             "device")  # fmt: skip
    for name in asked:
        value = getattr(options, name)
        if value is not None:
            values = value if isinstance(value, list) else [value]
            words += [f"--{name.replace('_', '-')}", *map(str, values)]
    if options.data != "synthetic":
        words += ["--data", options.data]
    return shlex.join([*words, "--peers"] if options.peers else words)
