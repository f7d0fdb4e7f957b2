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

ENVIRONMENT = {**os.environ, "NUMPY_MADVISE_HUGEPAGE": "0"}


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="asks glibc")
@pytest.mark.parametrize("what", ["kept", "left alone"])
def test_pages_come_from_the_kernel_once(what):
    command = [sys.executable, "-c", PROGRAM, what]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=ENVIRONMENT)
    # 1,088 pages, of 4 KiB or, where the kernel gives those unasked, of 2 MiB.
    assert (int(done.stdout) < 16) == (what == "kept")
