"""How long a network takes from the first import to its first training step, cold and warm.

    python -m experiments.start_up

Each start is a process of its own, the first one of each pair with no compiled programs on disk,
the second one with those that the first has left. Python's byte code is there, as after any first
start: one that is not counted leaves it in a folder of its own. A start ends when a whole batch has
been computed; a short last one and the evaluation are programs of their own, which a run compiles
besides. The data are random, in memory, with the shapes of the real ones.
Expected: at most 4 s cold and 2.5 s warm on 2 cores. In about two minutes.
"""

import os
import subprocess
import sys
from dataclasses import dataclass
from tempfile import TemporaryDirectory

import jax
import numpy as np

from dl_jax.train import Examples, fit
from experiments import fashion_mnist_mlp, imdb_reviews, mnist_cnn
from experiments.compilation import kept_programs
from experiments.options import Output, main, set_up_process
from experiments.record import Record
from experiments.recording import recording

NETWORKS = {  # with the shape of an example
    "fashion_mnist_mlp": (fashion_mnist_mlp, (28, 28, 1)),
    "mnist_cnn": (mnist_cnn, (28, 28, 1)),
    "imdb_reviews": (imdb_reviews, (608,)),
}
BOUNDS = {"cold": 4.0, "warm": 2.5}
_PROGRAM = """
import sys, time
started = time.perf_counter()
sys.argv.insert(0, "-m")  # as `python -m experiments.NAME` imports
from experiments.start_up import first_step
first_step(sys.argv[-1])
print(time.perf_counter() - started)
"""


@dataclass(frozen=True)
class Config(Output):
    """From the first import to the first training step."""

    rounds: int = 3
    """How often each is started, cold and warm."""


def run(config: Config) -> Record:
    """Start each network and write the run folder."""
    with recording(
        "start_up", config, "Start-up", "Seconds from the first import to the first training step."
    ) as record:
        rows = []
        with TemporaryDirectory() as byte_code:
            _start(next(iter(NETWORKS)), byte_code, programs=byte_code)
            for name in NETWORKS:
                pairs = [_cold_and_warm(name, byte_code) for _ in range(config.rounds)]
                for how, seconds in zip(BOUNDS, zip(*pairs, strict=True), strict=True):
                    median = float(np.median(seconds))
                    print(f"{name}, {how}: {median:.2f} s", flush=True)
                    record.add_figure(f"{name}, {how}", median, bound=BOUNDS[how], direction="<=")
                    rows.append((name, how, median, min(seconds), max(seconds)))
        record.add_table("Seconds", ("Network", "Start", "Median", "Least", "Most"), rows)
    return record


def _cold_and_warm(name: str, byte_code: str) -> tuple[float, float]:
    with TemporaryDirectory() as programs:
        return _start(name, byte_code, programs), _start(name, byte_code, programs)


def _start(name: str, byte_code: str, programs: str) -> float:
    kept = {"DL_JAX_CACHE_DIR": programs, "PYTHONPYCACHEPREFIX": byte_code}
    environment = {**os.environ, **kept}
    for variable in ("JAX_COMPILATION_CACHE_DIR", "PYTHONDONTWRITEBYTECODE"):
        environment.pop(variable, None)
    command = [sys.executable, "-c", _PROGRAM, name]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{name} did not start:\n{done.stderr}")
    return float(done.stdout.split()[-1])


def first_step(name: str) -> None:
    """Train a network on one batch, in a process set up as `experiments.options.main` does."""
    set_up_process()
    module, shape = NETWORKS[name]
    config = module.Config()
    n, rng = config.batch_size, np.random.default_rng(0)
    inputs = rng.integers(1, 256, (n, *shape)).astype(np.uint8 if len(shape) == 3 else np.uint16)
    examples = Examples(inputs, rng.integers(0, 2, n).astype(np.int32))
    task = module.task_of(config)
    with kept_programs():
        fit(
            task.model,
            task.objective,
            task.optimizer,
            examples,
            num_epochs=1,
            batch_size=config.batch_size,
            key=jax.random.key(config.seed),
        )


if __name__ == "__main__":
    main("start_up", Config, run)
