"""Whether the machine does something else meanwhile, which no peer takes as well as another.

A second program on the same cores slows PyTorch, whose threads wait for each other at the end of
each operation, several times more than it slows XLA.
"""

import os
import time
from pathlib import Path

_SETTLE = 0.5  # share of the pause in which threads that spin fall asleep
_STAT = Path("/proc/stat")


def pause(seconds: float) -> float | None:
    """Sleep, and return how many cores were busy in the second half; None if it is not known.

    Known on Linux, to 1/100 s; the caller and what it compares must be asleep, too.
    """
    time.sleep(_SETTLE * seconds)
    before, started = _busy_seconds(), time.monotonic()
    time.sleep((1 - _SETTLE) * seconds)
    after = _busy_seconds()
    if before is None or after is None:
        return None
    return max(0.0, after - before) / max(time.monotonic() - started, 1e-9)


def _busy_seconds() -> float | None:
    """The seconds that all cores together have worked since the machine was started."""
    try:
        cpu = _STAT.read_text().splitlines()[0].split()[1:9]
        user, nice, system, _, _, irq, softirq, steal = map(int, cpu)
    except (OSError, ValueError, IndexError):
        return None
    ticks = user + nice + system + irq + softirq + steal
    return ticks / os.sysconf("SC_CLK_TCK")
