"""`--deterministic`: the same bits each time, on a GPU as well."""

import os

import jax

DETERMINISTIC = "--xla_gpu_deterministic_ops=true"
"""XLA's flag: no kernel whose sums run in any order, and an error where there is no other."""


def make_deterministic() -> None:
    """Set the flag. XLA reads it with its first device: later it does nothing."""
    flags = os.environ.get("XLA_FLAGS", "")
    if DETERMINISTIC not in flags.split():
        os.environ["XLA_FLAGS"] = f"{flags} {DETERMINISTIC}".strip()


def is_deterministic() -> bool:
    """Whether the same program and data give the same bits: not on a GPU without the flag.

    A CPU or a TPU adds in one order anyway: that of the program, for its number of cores.
    """
    return (
        jax.default_backend() != "gpu" or DETERMINISTIC in os.environ.get("XLA_FLAGS", "").split()
    )
