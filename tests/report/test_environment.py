import json
import platform
import sys

import numpy as np

from dl_jax.report import environment


def test_environment_says_what_the_figures_depend_on(tmp_path):
    found = environment()
    assert found["python"] == platform.python_version()
    assert found["packages"]["numpy"] == np.__version__
    assert found["cores"] >= 1
    assert found["memory_gib"] is None or found["memory_gib"] > 0.1
    assert found["cpu"].strip()
    assert json.loads(json.dumps(found)) == found


def test_packages_that_are_not_installed_are_left_out(monkeypatch):
    module = sys.modules["dl_jax.report.environment"]
    monkeypatch.setattr(module, "PACKAGES", ("numpy", "no-such-package-of-ours"))
    assert list(environment()["packages"]) == ["numpy"]


def test_a_container_s_limits_count(monkeypatch):
    files = {
        "/proc/cpuinfo": "processor\t: 0\nmodel name\t: Abacus 9000\n",
        "/sys/fs/cgroup/cpu.max": "100000 100000\n",
        "/sys/fs/cgroup/memory.max": f"{2**29}\n",
    }
    monkeypatch.setattr(sys.modules["dl_jax.report.environment"], "_read", files.get)
    found = environment()
    assert (found["cpu"], found["cores"]) == ("Abacus 9000", 1)
    assert found["memory_gib"] in (0.5, None)  # None on Windows
