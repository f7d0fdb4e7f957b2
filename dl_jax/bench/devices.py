"""The devices that JAX sees, by the names that it gives them."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import jax
from jax.extend.backend import backends

JaxDevice: TypeAlias = Any
"""A `jax.Device`, which type checkers take for a variable."""


def choose_devices(names: Sequence[str] = ()) -> dict[str, JaxDevice]:
    """Return devices by name, `cpu:0`, in the order that JAX has them, the default ones first.

    Args:
        names: of platforms (`cpu`, `gpu`, `tpu`) or of single devices (`gpu:1`); every device
            that JAX sees unless given.

    Raises:
        ValueError: for a name that no device has; names those that exist.
    """
    default = jax.devices()
    others = [d for backend in backends().values() for d in backend.local_devices()]
    found = {f"{d.platform}:{d.id}": d for d in [*default, *others]}
    for name in names:
        if not any(_is_called(name, known) for known in found):
            platforms = dict.fromkeys(known.split(":")[0] for known in found)
            raise ValueError(
                f"--device: unknown device {name!r}; JAX sees {', '.join(found)} "
                f"({', '.join(platforms)} for all of a kind)"
            )
    return {
        known: device
        for known, device in found.items()
        if not names or any(_is_called(name, known) for name in names)
    }


def _is_called(name: str, known: str) -> bool:
    return name.lower() in (known, known.split(":")[0])
