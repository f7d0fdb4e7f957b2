"""What a process frees, it has again without the kernel."""

import os
import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
import numpy as np
from dl_jax.train.kept_memory import keep_freed_memory

if sys.argv[1] == "kept":
    keep_freed_memory()
for _ in range(2):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    # Larger than all that glibc keeps unasked, and than 2 GiB; a page of it in 2 MiB is touched.
    np.empty(2**31 + 2**27, np.uint8)[:: 2**21] = 1
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""

LOOP = """
import resource, sys
import jax, jax.numpy as jnp
from jax import lax
from dl_jax.train.kept_memory import allocate_in_main_thread, keep_freed_memory

keep_freed_memory()
if sys.argv[1] == "kept":
    allocate_in_main_thread()
x = jnp.ones(2**25)  # 128 MiB; a heap of a thread has 64
twice = jax.jit(lambda x: lax.fori_loop(0, 2, lambda _, y: jnp.sin(y) + x, x).sum())
for _ in range(3):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    jax.block_until_ready(twice(x))
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""

ENVIRONMENT = {**os.environ, "NUMPY_MADVISE_HUGEPAGE": "0"}

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="asks glibc")


def faults(program: str, what: str) -> int:
    """Pages that the kernel has handed out for the last call."""
    command = [sys.executable, "-c", program, what]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=ENVIRONMENT)
    return int(done.stdout)


@pytest.mark.parametrize("what", ["kept", "left alone"])
def test_pages_come_from_the_kernel_once(what):
    # 1,088 pages, of 4 KiB or, where the kernel gives those unasked, of 2 MiB.
    assert (faults(PROGRAM, what) < 16) == (what == "kept")


@pytest.mark.parametrize("what", ["kept", "left alone"])
def test_a_program_has_its_temporaries_again_where_calls_allocate_in_the_main_thread(what):
    # 64 pages of 2 MiB, or 32,768 of 4 KiB; a thread's few others are counted with them.
    assert (faults(LOOP, what) < 48) == (what == "kept")
