"""The machine and the versions behind a run's figures."""

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ("dl-jax", "jax", "jaxlib", "flax", "optax", "numpy", "tensorflow-datasets")


def environment() -> dict[str, Any]:
    """What the figures of a run depend on, besides its configuration.

    Devices and matmul precision are JAX's to say; the caller adds them.

    Returns:
        `python`, `platform`, `cpu` (the model's name), `cores` (that this process may use),
        `memory_gib` (that it may use; None where the system does not say), `packages`
        (version by name, of those installed), `commit` (of this package, see `commit_of`; only
        where it runs from a checkout).
    """
    packages = {}
    for name in PACKAGES:
        try:
            packages[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    commit = commit_of(Path(__file__))
    return {
        "python": platform.python_version(),
        "platform": " ".join([platform.system(), platform.machine(), *platform.libc_ver()]).strip(),
        "cpu": _cpu_model(),
        "cores": _usable_cores(),
        "memory_gib": _memory_gib(),
        "packages": packages,
        **({"commit": commit} if commit else {}),
    }


def commit_of(file: Path) -> str | None:
    """Return the git commit that a file is checked out of, or None for one that git does not track.

    A package's version stays the same from one release to the next; the commit does not. An
    installed package may lie within a checkout of something else, whose commit says nothing of it.

    Returns:
        Twelve digits of the commit; `-dirty` behind them where tracked files were changed since.
    """
    if _git(file.parent, "ls-files", "--error-unmatch", file.name) is None:
        return None
    return _git(file.parent, "describe", "--always", "--abbrev=12", "--dirty", "--exclude=*")


def _git(folder: Path, *arguments: str) -> str | None:
    """What git says, or None where there is no git or it refuses."""
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=5,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},  # a look leaves the checkout as it is
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return (done.stdout.strip() or None) if done.returncode == 0 else None


def _cpu_model() -> str:
    """The processor's name as its maker sells it, or else its architecture."""
    for line in (_read("/proc/cpuinfo") or "").splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("model name", "Model") and value.strip():
            return value.strip()
    if platform.system() == "Darwin":
        command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
        try:
            name = subprocess.run(command, capture_output=True, text=True, timeout=5).stdout
        except (OSError, subprocess.TimeoutExpired):
            name = ""
        if name.strip():
            return name.strip()
    return platform.processor() or platform.machine() or "unknown"


def _usable_cores() -> int:
    """Cores that this process may use: its affinity, and a container's quota."""
    affinity = getattr(os, "sched_getaffinity", None)  # absent on macOS and Windows
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    quota = (_read("/sys/fs/cgroup/cpu.max") or "max").split()
    if len(quota) == 2 and quota[0] != "max":
        cores = min(cores, max(1, round(int(quota[0]) / int(quota[1]))))
    return cores


def _memory_gib() -> float | None:
    """Memory that this process may use: the machine's, or a container's limit."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # Windows has no sysconf
        return None
    limit = (_read("/sys/fs/cgroup/memory.max") or "max").strip()
    if limit != "max":
        total = min(total, int(limit))
    return round(total / 2**30, 1)


def _read(path: str) -> str | None:
    """The text of a file of the system, or None where there is none."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
