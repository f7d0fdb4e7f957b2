"""Memory that is freed, and kept for the next call of a program, in large pages."""

import ctypes
import sys

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

    The main thread's first 4 GiB are asked for in pages of 2 MiB, where the kernel gives those to
    who asks: the images of a batch are thousands of pages of 4 KiB, more than a core remembers the
    places of.
    """
    if sys.platform != "linux" or not hasattr(libc := ctypes.CDLL(None), "gnu_get_libc_version"):
        return
    for option, value in ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, _NEVER)):
        libc.mallopt(option, value)
    libc.malloc.restype = ctypes.c_void_p
    if first := libc.malloc(ctypes.c_size_t(_RESERVED)):  # none, where the process may not
        whole = -(-first // _PAGE) * _PAGE
        length = ctypes.c_size_t(first + _RESERVED - whole)
        libc.madvise(ctypes.c_void_p(whole), length, _HUGE_PAGES)
        libc.free(ctypes.c_void_p(first))


def allocate_in_main_thread() -> None:
    """Let a call on a CPU return when it has run; before JAX has looked for devices.

    Who returns earlier runs in another thread, whose memory glibc keeps in pieces of 64 MB: what is
    larger goes back to the kernel after all. To have all threads allocate from one heap keeps it as
    well, but they wait for each other, the MLP's step for a fifth of its time.
    """
    jax.config.update("jax_cpu_enable_async_dispatch", False)
