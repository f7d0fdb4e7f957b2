"""The parent's side of a worker: ask, wait, and never leave a process behind."""

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any

ENVIRONMENT = {
    # Two frameworks share a GPU: neither takes all of its memory before it needs it.
    "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    # As the experiments have it, `train.kept_memory`, and large pages for all threads: temporaries
    # that go back to the system in each step take PyTorch up to 1.4 times as long.
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**63),
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
    "JAX_CPU_ENABLE_ASYNC_DISPATCH": "false",
}


class WorkerFailed(RuntimeError):
    """A worker that died, hung or answered with an error; the message says which."""


def worker_command(peer: str, workload: str) -> list[str]:
    """Return the command line of a peer's process."""
    return [sys.executable, "-m", "dl_jax.bench.peers.worker", peer, workload]


class Worker:
    """A process that is asked and answers in lines of JSON; a context manager, which ends it.

    The process leads a session of its own: an interruption from the keyboard reaches the parent
    alone, and the end of the session is the end of all that the process started.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str] | None = None):
        """Start the process.

        Args:
            command: the program and its arguments.
            environment: variables to set beside those of this process.
        """
        self._log = tempfile.TemporaryFile()  # noqa: SIM115, closed in __exit__
        self._unread = b""
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**os.environ, **ENVIRONMENT, **(environment or {})},
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """The process, and the session that it leads."""
        return self._process.pid

    def __enter__(self) -> "Worker":
        """Return the worker."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the process, whatever happened, and everything that it started."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._log):
            assert stream is not None
            with suppress(BrokenPipeError):
                stream.close()

    def ask(self, do: str, *, within: float, **arguments: Any) -> dict[str, Any]:
        """Ask a question and return the answer.

        Args:
            do: what is to be done.
            within: seconds to wait for the answer.
            arguments: of the question.

        Raises:
            WorkerFailed: if the process has died, answers nothing in time, answers with an error
                or with something that is no answer.
        """
        question = json.dumps({"do": do, **arguments}).encode() + b"\n"
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(question)
            self._process.stdin.flush()
        except BrokenPipeError:
            raise WorkerFailed(self._how_it_ended()) from None
        line = self._read_line(do, within)
        try:
            answer = json.loads(line)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise WorkerFailed(f"{do}: expected an answer in JSON, got {line[:80]!r}")
        if "error" in answer:
            raise WorkerFailed(f"{do}: {answer['error']}")
        return answer

    def _read_line(self, do: str, within: float) -> bytes:
        assert self._process.stdout is not None
        descriptor, deadline = self._process.stdout.fileno(), time.monotonic() + within
        while b"\n" not in self._unread:
            left = max(0.0, deadline - time.monotonic())
            if not select.select([descriptor], [], [], left)[0]:
                raise WorkerFailed(f"{do}: no answer within {within:.0f} s")
            read = os.read(descriptor, 1 << 16)
            if not read:
                raise WorkerFailed(self._how_it_ended())
            self._unread += read
        line, self._unread = self._unread.split(b"\n", 1)
        return line

    def _how_it_ended(self) -> str:
        try:
            code = self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            return "its process closed its output"
        if code < 0:
            how = f"its process was ended by {signal.Signals(-code).name}"
            if -code == signal.SIGKILL:
                how += ", as where there is not enough memory"
        else:
            how = f"its process ended with exit code {code}"
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return f"{how}: {lines[-1].strip()[:200]}" if lines else how
