"""All checks of the hand derivations: rules, networks, and mistakes that must be caught."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from dl_jax.backprop.proof import MISTAKES, RULES, Leaf, Mistake, Precision, is_caught, prove
from dl_jax.data.progress import track
from dl_jax.gradcheck.networks import NETWORKS, check_network

NUM_CASES = 3
"""Shapes and values at which each rule is proved."""


class Checked(NamedTuple):
    """What came of checking a rule or a network.

    Attributes:
        name: its key in `RULES` or `NETWORKS`.
        cases: the proofs of each case.
        error: why it could not be checked to the end; empty where it could.
    """

    name: str
    cases: list[list[Leaf]]
    error: str = ""

    @property
    def passed(self) -> bool:
        """Whether it could be checked and every error is within its bound."""
        return not self.error and all(leaf.passed for case in self.cases for leaf in case)


class Injected(NamedTuple):
    """What came of a mistake.

    Attributes:
        mistake: the wrong derivation.
        caught: whether the proof failed for it, as it must.
        error: why the mistake could not be made; empty where it could.
    """

    mistake: Mistake
    caught: bool
    error: str = ""


class Outcome(NamedTuple):
    """What came of all checks."""

    rules: list[Checked]
    networks: list[Checked]
    mistakes: list[Injected]

    @property
    def passed(self) -> bool:
        """Whether everything is proved and every mistake caught."""
        proved = all(checked.passed for checked in [*self.rules, *self.networks])
        return proved and all(injected.caught for injected in self.mistakes)


def gradcheck(
    rules: Sequence[str], networks: Sequence[str], precision: Precision = "float64"
) -> Outcome:
    """Prove rules and networks, then inject the mistakes of the rules that were proved.

    Where a rule itself fails, it says nothing that its mistakes do, so they are left out. The
    mistakes are tried in float64, whatever the precision of the proof. On a terminal there is a
    progress bar on stderr.

    Args:
        rules: keys of `RULES`.
        networks: keys of `NETWORKS`.
        precision: of the hand derivations.

    Raises:
        ValueError: if there is no such rule or network; names those that exist.
    """
    _known("rule", rules, RULES)
    _known("network", networks, NETWORKS)
    outcome = Outcome([], [], [])

    def rule(name: str) -> None:
        outcome.rules.append(_checked(name, lambda: _cases(name, precision)))

    def network(name: str) -> None:
        outcome.networks.append(_checked(name, lambda: iter([check_network(name, precision)])))

    def inject(mistake: Mistake) -> None:
        if any(checked.name == mistake.rule and checked.passed for checked in outcome.rules):
            outcome.mistakes.append(_injected(mistake))

    steps = [partial(rule, name) for name in rules]
    steps += [partial(network, name) for name in networks]
    steps += [partial(inject, mistake) for mistake in MISTAKES if mistake.rule in rules]
    for step in track(steps, "gradcheck", len(steps)):
        step()
    return outcome


def _known(kind: str, names: Iterable[str], known: Iterable[str]) -> None:
    for name in names:
        if name not in known:
            raise ValueError(f"unknown {kind} {name!r}; the {kind}s are {', '.join(known)}")


def _cases(name: str, precision: Precision) -> Iterator[list[Leaf]]:
    rule = RULES[name]
    for seed in range(NUM_CASES):
        yield prove(rule.case(np.random.default_rng(seed), rule.derivation), precision, seed)


def _checked(name: str, cases: Callable[[], Iterator[list[Leaf]]]) -> Checked:
    found: list[list[Leaf]] = []
    try:
        found.extend(cases())
    except Exception as error:  # whatever a wrong derivation does, the others are still checked
        return Checked(name, found, _one_line(error))
    return Checked(name, found)


def _injected(mistake: Mistake) -> Injected:
    try:
        return Injected(mistake, is_caught(mistake))
    except Exception as error:  # above all: the rule changed, and the mistake's text is not in it
        return Injected(mistake, False, _one_line(error))


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
