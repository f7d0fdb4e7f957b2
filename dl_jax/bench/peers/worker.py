"""A peer's own process: `python -m dl_jax.bench.peers.worker PEER WORKLOAD`.

Asked and answered in lines of JSON, on standard input and output. What frameworks print goes to
standard error. The variables of `catalog.Entry.environment` are the parent's to set. The questions,
in this order, each with its answer:

    {"do": "prepare", "folder": ..., "turn_seconds": ...}
        {"version": ..., "platform": ..., "note": ..., "reference": ..., "steps": ...}
    {"do": "check", "steps": ..., "reference": ...}
        {"before": ..., "after": ...}
    {"do": "turn"}
        {"seconds": ...}

`{"error": ...}` is the answer to a question that failed; the end of the input ends the process.
"""

import json
import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from dl_jax.bench.peers import problem as problems
from dl_jax.bench.peers.catalog import entry
from dl_jax.bench.peers.peer import Choice, Peer, Trainer

_PROBE_SECONDS = 0.3  # of training, by which the fastest of several choices is found
_FEWEST = 4  # steps of a turn


class Session:
    """A peer between the questions.

    Attributes:
        name: the peer.
        workload: what it trains.
    """

    def __init__(self, name: str, workload: str) -> None:
        """Import nothing yet."""
        self.name, self.workload = name, workload
        self._peer: Peer
        self._choice: Choice
        self._trainer: Trainer
        self._steps = self._units = 0

    def prepare(self, folder: str, turn_seconds: float) -> dict[str, Any]:
        """Load the framework and the problem, find its fastest setting, and warm up.

        Args:
            folder: with the problem, as `problem.save` wrote it.
            turn_seconds: how long a turn should last, where the unit is a step.
        """
        module = import_module(f"dl_jax.bench.peers.{entry(self.name).module}")
        problem = problems.load(self.workload, Path(folder))
        self._peer = module.load(problem, self.name)
        self._choice, self._trainer, a_step, said = _fastest(self._peer.choices, problem.num_steps)
        if problems.WORKLOADS[self.workload].unit == "step":
            whole = len(problem.targets) // problem.batch_size
            self._steps = self._units = min(max(_FEWEST, round(turn_seconds / a_step)), whole)
        else:
            self._steps, self._units = problem.num_steps, 1
        self._trainer.run(self._steps)
        return {
            "version": self._peer.version,
            "platform": self._peer.platform,
            "note": "; ".join(filter(None, [self._peer.note, self._choice.setting, *said])),
            "reference": self._peer.reference,
            "steps": self._steps,
        }

    def check(self, steps: int, reference: str) -> dict[str, float]:
        """Train anew, without dropout; return the loss before the steps and after.

        Args:
            steps: how many.
            reference: one of the peer's `references`; empty for the setting that is timed.
        """
        references = self._peer.references
        trainer = references[reference]() if reference else self._choice.build(True)
        before = trainer.loss()
        trainer.run(steps)
        return {"before": before, "after": trainer.loss()}

    def turn(self) -> dict[str, float]:
        """Train once more and return the seconds of a unit."""
        return {"seconds": self._trainer.run(self._steps) / self._units}


def _fastest(choices: Sequence[Choice], num_steps: int) -> tuple[Choice, Trainer, float, list[str]]:
    """The choice whose steps are fastest, its seconds a step, and what is to say of the others."""
    found, failed = [], []
    few = min(_FEWEST, num_steps)
    for choice in choices:
        try:
            trainer = choice.build(False)
            trainer.run(1)  # compiles
            once = min(trainer.run(few) for _ in range(2)) / few
            steps = min(max(few, round(_PROBE_SECONDS / once)), num_steps)
            once = min(trainer.run(steps) for _ in range(3)) / steps
        except Exception as error:
            traceback.print_exc()
            failed.append(f"{choice.setting or 'it'} failed: {type(error).__name__}")
            if len(failed) == len(choices):
                raise
            continue
        found.append((once, choice, trainer))
    once, choice, trainer = min(found, key=lambda one: one[0])
    others = [f"{other.setting} {t / once:.2f} times" for t, other, _ in found if other != choice]
    said = [f"of its settings {', '.join(others)} as long"] if others else []
    return choice, trainer, once, said + failed


def main(name: str, workload: str) -> None:
    """Answer until the input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever prints, prints elsewhere
    session = Session(name, workload)
    for line in sys.stdin:
        question = json.loads(line)
        try:
            answer = getattr(session, question.pop("do"))(**question)
        except Exception as error:
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers)


if __name__ == "__main__":
    main(*sys.argv[1:])
