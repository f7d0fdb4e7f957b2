"""What a framework brings to the comparison."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple


class Trainer(NamedTuple):
    """A network in training, at some point of it.

    Attributes:
        run: make so many steps on the first batches of the data, in their order, from where
            training stands; return the seconds until all is computed.
        loss: the mean loss of the first batch, without dropout.
    """

    run: Callable[[int], float]
    loss: Callable[[], float]


class Choice(NamedTuple):
    """One of the ways in which a framework can be used; the fastest is what counts.

    Attributes:
        setting: what it is, for people; empty where there is nothing to choose.
        build: return a trainer at the initial parameters: `build(True)` one to check, without
            dropout; `build(False)` one to time.
    """

    setting: str
    build: Callable[[bool], Trainer]


class Peer(NamedTuple):
    """A framework that has a problem's data.

    Attributes:
        version: of the framework.
        platform: where it computes, `"cpu"` or `"gpu"`.
        choices: one or more.
        note: what differs from what the others do; may be empty.
        reference: which of this project's `references` has the peer's formulas; empty for the
            training that is timed.
        references: this project's training with another's formulas, to check that one against.
    """

    version: str
    platform: str
    choices: Sequence[Choice]
    note: str = ""
    reference: str = ""
    references: Mapping[str, Callable[[], Trainer]] = {}


def seconds_of(work: Callable[[], object]) -> float:
    """Return how long it takes; the work waits for its own results."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
