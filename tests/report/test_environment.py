import json
import platform
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

from dl_jax.report import environment
from dl_jax.report.environment import commit_of


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


@pytest.fixture
def checkout(tmp_path):
    """A checkout with one file, and how git is called there."""
    if shutil.which("git") is None:
        pytest.skip("needs git")
    file = tmp_path / "module.py"
    file.write_text("one\n")

    def git(*arguments):
        me = ("-c", "user.name=me", "-c", "user.email=me@here")
        subprocess.run(["git", *me, *arguments], cwd=tmp_path, check=True, capture_output=True)

    git("init")
    git("add", "module.py")
    git("commit", "-m", "One")
    return file, git


def test_the_commit_has_a_mark_where_something_was_changed_since(checkout):
    file, git = checkout
    clean = commit_of(file)
    assert re.fullmatch("[0-9a-f]{12}", clean or "")
    git("tag", "v1")  # or else describe would answer with the tag's name
    (file.parent / "bench.json").write_text("a record that was made here is no change")
    assert commit_of(file) == clean
    file.write_text("two\n")
    assert commit_of(file) == f"{clean}-dirty"


def test_what_lies_in_another_checkout_or_none_has_no_commit(checkout, monkeypatch, tmp_path):
    file, _ = checkout
    installed = file.with_name("installed.py")
    installed.touch()
    assert commit_of(installed) is None
    monkeypatch.setenv("PATH", "")  # no git at all
    assert commit_of(file) is None


@pytest.mark.parametrize("commit", ["0123456789ab-dirty", None])
def test_the_commit_is_among_what_the_figures_depend_on(monkeypatch, commit):
    monkeypatch.setattr(sys.modules["dl_jax.report.environment"], "commit_of", lambda file: commit)
    assert environment().get("commit") == commit
    assert ("commit" in environment()) == (commit is not None)
