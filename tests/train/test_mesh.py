"""Training on many devices; the number of a CPU's is set before JAX starts, so in a process."""

import os
import subprocess
import sys
from pathlib import Path

import jax

from dl_jax.train import default_mesh

HERE = Path(__file__).parent


def test_on_eight_devices():
    file = HERE / "on_eight_devices.py"
    command = [sys.executable, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", str(file)]
    done = subprocess.run(
        command,
        env={**os.environ, "JAX_NUM_CPU_DEVICES": "8", "JAX_PLATFORMS": "cpu"},
        cwd=HERE.parent.parent,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_one_device_needs_no_mesh():
    assert jax.device_count() == 1
    assert default_mesh() is None
