"""The clock: how often a call is timed, what is said of its times, and when they say nothing."""

import gc
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypedDict

import jax
import numpy as np

NOISE_BOUND = 0.15
"""Quartiles this far apart, relative to the median, and a timing is too noisy to call.

The standard error of a median of n normal samples is 0.93 of the distance of their quartiles over
the root of n. At this bound two medians of ten differ by chance by 6 %, and by more than 10 % in
one comparison of ten: a difference of a tenth, which is what people compare for, is then no news.
"""
FEWEST = 3
"""Samples without which there are no quartiles to speak of."""

_SAMPLE_SECONDS = 0.02  # a sample is so many calls that the clock's own time does not matter
_MOST_CALLS = 1000  # in one sample
_ENOUGH_SECONDS, _MOST_SECONDS = 10.0, 60.0  # of samples: with `FEWEST` of them, and without


class Timing(TypedDict):
    """A quantity measured n times: its median and its quartiles; seconds, or a ratio of them."""

    n: int
    median: float
    q1: float
    q3: float


def quartiles(samples: Sequence[float]) -> Timing:
    """Return median and quartiles of samples.

    >>> quartiles([4.0, 1.0, 2.0, 3.0, 5.0])
    {'n': 5, 'median': 3.0, 'q1': 2.0, 'q3': 4.0}
    """
    q1, median, q3 = map(float, np.percentile(samples, (25, 50, 75)))
    return {"n": len(samples), "median": median, "q1": q1, "q3": q3}


def scaled(timing: Timing, factor: float) -> Timing:
    """Return the timing of `factor` times the quantity, for a positive factor."""
    q1, median, q3 = (factor * timing[key] for key in ("q1", "median", "q3"))
    return {"n": timing["n"], "median": median, "q1": q1, "q3": q3}


def is_noisy(timing: Timing) -> bool:
    """Say whether a timing is too noisy to call, or of too few samples to know."""
    apart = timing["q3"] - timing["q1"]
    return timing["n"] < FEWEST or apart > NOISE_BOUND * timing["median"]


def seconds_of(call: Callable[[], Any]) -> float:
    """Return how long a call takes until its results are there."""
    started = time.perf_counter()
    jax.block_until_ready(call())
    return time.perf_counter() - started


def steady_seconds(
    call: Callable[[], Any],
    *,
    repeats: int,
    about: float = 0.0,
    show: Callable[[str], None] = lambda text: None,
) -> list[float]:
    """Return samples of the seconds of one call among many, as a training loop makes them.

    A sample is calls one after the other without waiting in between, at least 20 ms of them, and
    one wait at the end. There are `repeats` samples; fewer, but at least three, once they took
    10 s, and fewer than three once they took a minute.

    Args:
        call: makes the next call and returns its results; what it returned before may be gone
            (donated).
        repeats: number of samples.
        about: the seconds of a call, if they are known and long; measured otherwise.
        show: told what is being done.
    """
    once = about if about > _SAMPLE_SECONDS else min(seconds_of(call) for _ in range(2))
    calls = min(_MOST_CALLS, max(1, math.ceil(_SAMPLE_SECONDS / once)))

    def sample() -> Any:
        for _ in range(calls - 1):
            call()
        return call()

    samples: list[float] = []
    with _no_collection():
        while not _enough(samples, calls, repeats):
            show(f"repeat {len(samples) + 1} of {repeats}")
            samples.append(seconds_of(sample) / calls)
    return samples


def dispatch_seconds(call: Callable[[], Any], *, repeats: int, about: float) -> list[float]:
    """Return samples of the seconds until a call returns, with nothing of it computed yet.

    Each call finds the device idle. Calls that take long are made less often.

    Args:
        call: as in `steady_seconds`.
        repeats: number of calls.
        about: the seconds of a call with its results.
    """
    samples: list[float] = []
    with _no_collection():
        for _ in range(max(1, min(repeats, int(_ENOUGH_SECONDS / 10 / max(about, 1e-9))))):
            started = time.perf_counter()
            results = call()
            samples.append(time.perf_counter() - started)
            jax.block_until_ready(results)
    return samples


def _enough(samples: Sequence[float], calls: int, repeats: int) -> bool:
    spent = calls * sum(samples)
    if len(samples) >= repeats or spent >= _MOST_SECONDS:
        return True
    return len(samples) >= FEWEST and spent >= _ENOUGH_SECONDS


@contextmanager
def _no_collection() -> Iterator[None]:
    """Keep Python's garbage collection out of the samples."""
    gc.collect()
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
