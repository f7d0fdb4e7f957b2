"""Memory that is freed, and kept for the next call of a program, in large pages."""

import ctypes
import mmap
import os
import sys
from contextlib import suppress

import jax

_MMAP_MAX, _TRIM_THRESHOLD = -4, -1  # of glibc's malloc.h
_NEVER = -1  # of a threshold, which becomes the largest one; 2^31 - 1 is not enough
_HUGE_PAGES, _PAGE = 14, 2**21  # MADV_HUGEPAGE of Linux' mman.h, and the size of such a page
_RESERVED = 2**32  # bytes of addresses; memory is behind those alone that have been used


def keep_freed_memory() -> None:
    """Let the process keep what it frees, with glibc; with another C library do nothing.

    XLA allocates what a program needs meanwhile anew for each call, on a CPU by `malloc`. What is
    larger than 32 MB glibc gives back to the kernel, which fills it with zeros, page by page, for
    the next call: of ResNet-50's training step a quarter of the time
    (`docs/performance_notes.md`). The process then stays as large as it has been once.

    The main thread's first 4 GiB, where the process may have so many, are asked for in pages of
    2 MiB: the images of a batch are thousands of pages of 4 KiB, more than a core remembers the
    places of.
    """
    if libc := _glibc():
        for option, value in ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, _NEVER)):
            libc.mallopt(option, value)
        _ask_for_huge_pages(libc)


def allocate_in_main_thread() -> None:
    """Let a call on one CPU device return when it has run; once devices are found, do nothing.

    Who returns earlier runs in another thread, whose memory glibc keeps in pieces of 64 MB: what is
    larger goes back to the kernel after all. To have all threads allocate from one heap keeps it as
    well, but they wait for each other, the MLP's step for a fifth of its time. Whoever has set
    `JAX_CPU_ENABLE_ASYNC_DISPATCH` has decided otherwise, or so already.
    """
    if _glibc() and "JAX_CPU_ENABLE_ASYNC_DISPATCH" not in os.environ:
        jax.config.update("jax_cpu_enable_async_dispatch", False)


def _glibc() -> ctypes.CDLL | None:
    if sys.platform != "linux" or not hasattr(libc := ctypes.CDLL(None), "gnu_get_libc_version"):
        return None
    libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    libc.free.restype, libc.free.argtypes = None, [ctypes.c_void_p]
    libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    return libc


def _ask_for_huge_pages(libc: ctypes.CDLL) -> None:
    # Refused by `malloc`, the main thread would be moved to a heap of another thread's kind.
    with suppress(OSError, ValueError, OverflowError):
        mmap.mmap(-1, _RESERVED, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
        if first := libc.malloc(_RESERVED):
            whole = -(-first // _PAGE) * _PAGE
            libc.madvise(whole, first + _RESERVED - whole, _HUGE_PAGES)
            libc.free(first)
