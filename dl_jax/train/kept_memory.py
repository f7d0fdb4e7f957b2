"""Memory that is freed, and kept for the next call of a program."""

import ctypes
import sys

_MMAP_MAX, _TRIM_THRESHOLD, _ARENA_MAX = -4, -1, -8  # of glibc's malloc.h
_NEVER = -1  # of a threshold, which becomes the largest one; 2^31 - 1 is not enough


def keep_freed_memory() -> None:
    """Let the process keep what it frees, with glibc; with another C library do nothing.

    XLA allocates what a program needs meanwhile anew for each call, on a CPU by `malloc`. What is
    larger than 32 MB glibc gives back to the kernel, which fills it with zeros, page by page, for
    the next call: of ResNet-50's training step a quarter of the time
    (`docs/performance_notes.md`). The process then stays as large as it has been once.
    """
    if sys.platform != "linux" or not hasattr(libc := ctypes.CDLL(None), "gnu_get_libc_version"):
        return
    for option, value in ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, _NEVER), (_ARENA_MAX, 1)):
        libc.mallopt(option, value)
