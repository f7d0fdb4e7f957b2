"""What a process frees, it has again without the kernel."""

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
    np.ones(2**26, np.uint8)  # larger than all that glibc keeps unasked
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="asks glibc")
@pytest.mark.parametrize("what", ["kept", "left alone"])
def test_pages_come_from_the_kernel_once(what):
    command = [sys.executable, "-c", PROGRAM, what]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    # 16,384 pages of 4 KiB, or 32 of 2 MiB where the kernel gives those unasked.
    assert (int(done.stdout) < 16) == (what == "kept")
