"""What a process frees, it has again without the kernel."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

FAULTS = """
import resource, sys
import numpy as np
import jax, jax.numpy as jnp
from jax import lax
from dl_jax.train.kept_memory import allocate_in_main_thread, keep_freed_memory

def faults(call):
    calls = []  # the first ones find room for themselves; one more may, if a buffer is freed late
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        call()
        calls.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    print(min(calls[1:]))
"""

LARGE = """
if sys.argv[1] == "kept":
    keep_freed_memory()
# Larger than all that glibc keeps unasked, and than 2 GiB; a page of it in 2 MiB is touched.
faults(lambda: np.empty(2**31 + 2**27, np.uint8)[:: 2**21].fill(1))
"""

LIMITED = """
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**31, resource.RLIM_INFINITY))
keep_freed_memory()
faults(lambda: np.empty(2**27, np.uint8)[::2**12].fill(1))
"""

LOOP = """
keep_freed_memory()
if sys.argv[1] == "kept":
    allocate_in_main_thread()
x = jnp.ones(2**25)  # 128 MiB; a heap of a thread has 64
twice = jax.jit(lambda x: lax.fori_loop(0, 2, lambda _, y: jnp.sin(y) + x, x).sum())
faults(lambda: jax.block_until_ready(twice(x)))
"""

PAGES = """
keep_freed_memory()
keep_freed_memory()
ranges = open("/proc/self/smaps").read().split("VmFlags:")
print(sum(" hg" in r.split("\\n")[0] for r in ranges[1:]))
"""

OURS = ("MALLOC_", "GLIBC_TUNABLES", "JAX_", "XLA_FLAGS", "LD_PRELOAD")
ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith(OURS)} | {
    "NUMPY_MADVISE_HUGEPAGE": "0",
    "JAX_PLATFORMS": "cpu",
}

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="asks glibc")


def printed(program: str, what: str = "kept") -> int:
    """What the program prints: pages that the kernel hands out for a call, mostly."""
    command = [sys.executable, "-c", FAULTS + program, what]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=ENVIRONMENT)
    return int(done.stdout)


def memory() -> int:
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(memory() < 2**33, reason="takes 2.2 GB where pages are of 2 MiB")
@pytest.mark.parametrize("what", ["kept", "left alone"])
def test_pages_come_from_the_kernel_once(what):
    # 1,088 pages, of 4 KiB or, where the kernel gives those unasked, of 2 MiB.
    assert (printed(LARGE, what) < 16) == (what == "kept")


def test_where_so_many_addresses_are_refused_pages_are_kept_nonetheless():
    assert printed(LIMITED) < 16


@pytest.mark.parametrize("what", ["kept", "left alone"])
def test_a_program_has_its_temporaries_again_where_calls_allocate_in_the_main_thread(what):
    # 64 pages of 2 MiB, or 32,768 of 4 KiB; a thread's few others are counted with them.
    assert (printed(LOOP, what) < 48) == (what == "kept")


@pytest.mark.skipif(
    not Path("/sys/kernel/mm/transparent_hugepage").exists(), reason="a kernel without large pages"
)
def test_large_pages_are_asked_for():
    assert printed(PAGES) == 1
