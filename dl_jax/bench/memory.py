"""Peak memory, from the device's own counter or from XLA's analysis of a program."""

from typing import Literal, TypedDict

import jax

from dl_jax.bench.devices import JaxDevice


class Memory(TypedDict):
    """Peak memory and who says so.

    Keys:
        bytes: the peak.
        source: `"device"`, its counter of bytes in use, which had never been as high before; or
            `"program"`, XLA's analysis: arguments, results and temporaries of the program.
    """

    bytes: int
    source: Literal["device", "program"]


def device_peak(device: JaxDevice) -> int | None:
    """Return the most bytes that were ever in use on the device, where it counts them."""
    stats = device.memory_stats()
    return stats.get("peak_bytes_in_use") if stats else None


def peak_memory(
    before: int | None, after: int | None, compiled: jax.stages.Compiled | None
) -> Memory | None:
    """Return the peak memory of what ran between two readings of `device_peak`.

    The counter never falls: where it did not rise, something before had needed more, and the
    program's analysis is taken. A program that was not compiled whole has none.
    """
    if after is not None and after > (before or 0):
        return {"bytes": int(after), "source": "device"}
    try:
        analysis = compiled.memory_analysis() if compiled else None
    except (jax.errors.JaxRuntimeError, NotImplementedError):
        return None
    if analysis is None:
        return None
    parts = (analysis.argument_size_in_bytes, analysis.output_size_in_bytes,
             analysis.temp_size_in_bytes, -analysis.alias_size_in_bytes)  # fmt: skip
    return {"bytes": int(sum(parts)), "source": "program"}
