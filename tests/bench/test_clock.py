"""The clock, by a clock of its own that only the calls move."""

import pytest

from dl_jax.bench import clock
from dl_jax.bench.clock import (
    dispatch_seconds,
    is_noisy,
    quartiles,
    scaled,
    seconds_of,
    steady_seconds,
)


class Calls:
    """Calls that take their time by a clock that nothing else moves."""

    def __init__(self, *seconds: float):
        self.now, self.made, self.seconds = 0.0, 0, seconds

    def __call__(self) -> list:
        self.now += self.seconds[min(self.made, len(self.seconds) - 1)]
        self.made += 1
        return []


@pytest.fixture
def calls(monkeypatch):
    def make(*seconds: float) -> Calls:
        made = Calls(*seconds)
        monkeypatch.setattr(clock.time, "perf_counter", lambda: made.now)
        return made

    return make


def test_quartiles_are_those_of_the_samples():
    assert quartiles([4.0, 1.0, 2.0, 3.0, 5.0]) == {"n": 5, "median": 3.0, "q1": 2.0, "q3": 4.0}
    assert quartiles([7.0]) == {"n": 1, "median": 7.0, "q1": 7.0, "q3": 7.0}
    assert scaled(quartiles([1.0, 2.0, 3.0]), 2) == {"n": 3, "median": 4.0, "q1": 3.0, "q3": 5.0}


@pytest.mark.parametrize(
    ("timing", "noisy"),
    [
        ({"n": 9, "median": 1.0, "q1": 0.93, "q3": 1.07}, False),
        ({"n": 9, "median": 1.0, "q1": 0.92, "q3": 1.08}, True),
        ({"n": 2, "median": 1.0, "q1": 1.0, "q3": 1.0}, True),  # who knows
    ],
)
def test_noisy_is_what_is_spread_over_15_per_cent_or_hardly_measured(timing, noisy):
    assert is_noisy(timing) == noisy


def test_a_sample_of_short_calls_is_many_of_them(calls):
    made = calls(0.1, 0.005)  # the first call is a slow one
    samples = steady_seconds(made, repeats=7)
    assert samples == pytest.approx([0.005] * 7)
    assert made.made == 2 + 7 * 4  # 20 ms each, after two that say how long a call takes


def test_long_calls_are_made_three_times_and_very_long_ones_once(calls):
    assert steady_seconds(calls(4.0), repeats=20, about=4.0) == [4.0] * 3
    assert steady_seconds(calls(61.0), repeats=20, about=61.0) == [61.0]
    assert steady_seconds(calls(4.0), repeats=2, about=4.0) == [4.0] * 2


def test_dispatch_is_timed_call_by_call_and_less_often_where_calls_are_long(calls):
    assert dispatch_seconds(calls(0.001), repeats=5, about=0.001) == pytest.approx([0.001] * 5)
    assert len(dispatch_seconds(calls(0.001), repeats=20, about=0.3)) == 3
    assert len(dispatch_seconds(calls(0.001), repeats=20, about=90.0)) == 1


def test_what_is_being_done_is_said(calls):
    said = []
    steady_seconds(calls(0.03), repeats=2, about=0.03, show=said.append)
    assert said == ["repeat 1 of 2", "repeat 2 of 2"]


def test_a_call_ends_when_its_results_are_there(monkeypatch):
    waited = []
    monkeypatch.setattr("jax.block_until_ready", lambda results: waited.append(results))
    seconds_of(lambda: "results")
    assert waited == ["results"]
