"""Memory that is freed, and kept for the next call of a program, in large pages."""

import ctypes
import sys

_MMAP_MAX, _TRIM_THRESHOLD, _ARENA_MAX = -4, -1, -8  # of glibc's malloc.h
_NEVER = -1  # of a threshold, which becomes the largest one; 2^31 - 1 is not enough
_HUGE_PAGES, _PAGE = 14, 2**21  # MADV_HUGEPAGE of Linux' mman.h, and the size of such a page
_RESERVED = 2**32  # bytes of addresses; memory is behind those alone that have been used


def keep_freed_memory() -> None:
    """Let the process keep what it frees, with glibc; with another C library do nothing.

    XLA allocates what a program needs meanwhile anew for each call, on a CPU by `malloc`. What is
    larger than 32 MB glibc gives back to the kernel, which fills it with zeros, page by page, for
    the next call: of ResNet-50's training step a quarter of the time
    (`docs/performance_notes.md`). The process then stays as large as it has been once.

    The first 4 GiB are asked for in pages of 2 MiB, where the kernel gives those to who asks: the
    images of a batch are thousands of pages of 4 KiB, more than a core remembers the places of.
    """
    if sys.platform != "linux" or not hasattr(libc := ctypes.CDLL(None), "gnu_get_libc_version"):
        return
    for option, value in ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, _NEVER), (_ARENA_MAX, 1)):
        libc.mallopt(option, value)
    libc.malloc.restype = ctypes.c_void_p
    if first := libc.malloc(ctypes.c_size_t(_RESERVED)):  # none, where the process may not
        whole = -(-first // _PAGE) * _PAGE
        length = ctypes.c_size_t(first + _RESERVED - whole)
        libc.madvise(ctypes.c_void_p(whole), length, _HUGE_PAGES)
        libc.free(ctypes.c_void_p(first))
