"""`dl-jax gradcheck`: the table in the console, and the same as JSON."""

import argparse
import sys
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import numpy as np

from dl_jax.backprop.proof import DIFFERENCES_BOUND, RULES, Leaf, Precision
from dl_jax.gradcheck.check import Checked, Outcome, gradcheck
from dl_jax.gradcheck.networks import NETWORKS, NUM_EXAMPLES
from dl_jax.models import entry
from dl_jax.report.run_folder import json_text, write_json
from dl_jax.report.table import format_table


def run(options: argparse.Namespace) -> int:
    """Check what was asked for, everything unless something was, and print what came of it.

    Returns:
        0 where everything is proved and every mistake caught, otherwise 1.

    Raises:
        ValueError: for a rule or a network that there is not.
        OSError: where the JSON cannot be written; before anything is checked where there is no
            such folder.
    """
    to_stdout = options.json == "-"
    path = Path(options.json).expanduser() if options.json and not to_stdout else None
    if path and (path.is_dir() or not path.parent.is_dir()):
        raise OSError(f"--json {path}: expected a file in a folder that exists")
    everything = not options.rule and not options.network
    rules = list(RULES) if everything else list(dict.fromkeys(options.rule))
    networks = list(NETWORKS) if everything else list(dict.fromkeys(options.network))

    outcome = gradcheck(rules, networks, options.precision)
    if to_stdout:
        sys.stdout.write(json_text(as_json(outcome, options.precision)))
    else:
        print(as_text(outcome, options.precision))
    if path:
        write_json(path, as_json(outcome, options.precision))
    return 0 if outcome.passed else 1


def as_json(outcome: Outcome, precision: Precision) -> dict[str, Any]:
    """Return what came of the checks, for `report.write_json`.

    `passed`; `precision`, `versions` and `device`; `rules`, each with `name`, `slide`, `verdict`
    (`"proved"` or `"failed"`), `error` (null, or why it could not be checked to the end) and
    `leaves`; `networks`, each the same with `inputs`, the shape of the batch, for the slide;
    `mistakes`, with the numbers `injected` and `caught` and their `list` of `rule`, `what`,
    `caught` and `error`.

    A leaf is an output or the gradient by one input or parameter at one `case`: its `name`,
    `shape`, `autodiff` and `differences`, the relative errors, `autodiff_bound` and
    `differences_bound`, and its `verdict`. Differences are null where none were taken; a number
    that is not finite is a string, as everywhere in `report`.
    """

    def checked(one: Checked, **what: Any) -> dict[str, Any]:
        leaves = [_leaf(case, leaf) for case, leaves in enumerate(one.cases) for leaf in leaves]
        verdict = {"verdict": _verdict(one), "error": one.error or None}
        return {"name": one.name, **what, **verdict, "leaves": leaves}

    device = jax.devices()[0]
    return {
        "passed": outcome.passed,
        "precision": precision,
        "versions": {"dl_jax": version("dl-jax"), "jax": jax.__version__},
        "device": {"platform": device.platform, "kind": device.device_kind},
        "rules": [checked(one, slide=RULES[one.name].slide) for one in outcome.rules],
        "networks": [checked(one, inputs=_inputs(one.name)) for one in outcome.networks],
        "mistakes": {
            "injected": len(outcome.mistakes),
            "caught": sum(injected.caught for injected in outcome.mistakes),
            "list": [
                {"rule": m.rule, "what": m.what, "caught": caught, "error": error or None}
                for m, caught, error in outcome.mistakes
            ],
        },
    }


def as_text(outcome: Outcome, precision: Precision) -> str:
    """Return the table, within 100 columns: a row a rule, and a row a parameter of a network.

    A rule's row has its largest case's shapes and its worst errors; below the table stands
    what failed, then the number of mistakes.
    """
    rows: list[list[str]] = []
    for one in outcome.rules:
        slide = RULES[one.name].slide
        if not rows or [slide] != next(row for row in reversed(rows) if len(row) == 1):
            rows.append([slide])
        cases = ([leaf.shape for leaf in case if leaf.name != "output"] for case in one.cases)
        largest = max(cases, key=lambda case: sum(map(np.prod, case)), default=[])
        leaves = [leaf for case in one.cases for leaf in case]
        shapes = " ".join(map(_shape, largest))
        rows.append([f"  {one.name}", shapes, *_errors(leaves, precision), _verdict(one)])
    for one in outcome.networks:
        rows.append([f"{one.name}, inputs {_shape(_inputs(one.name))}"])
        if one.error:
            rows.append([f"  {one.name}", "", "-", "-", _verdict(one)])
        for leaf in (leaf for case in one.cases for leaf in case):
            verdict = "proved" if leaf.passed else "failed"
            rows.append(
                [f"  {leaf.name}", _shape(leaf.shape), *_errors([leaf], precision), verdict]
            )
    second = "Differences" if precision == "float64" else "Bound"
    header = ["Slide or network", "Shapes", "Autodiff", second, "Verdict"]
    lines = [format_table(header, rows, numbers=(2, 3)), "", _bounds(outcome, precision)]
    lines += _failures(outcome)
    if outcome.rules:
        caught = sum(injected.caught for injected in outcome.mistakes)
        lines.append(f"{len(outcome.mistakes)} mistakes injected, {caught} caught.")
    return "\n".join(lines)


def _errors(leaves: list[Leaf], precision: Precision) -> list[str]:
    """The worst errors; in float32 the one nearest to its bound, and that bound."""
    if not leaves:
        return ["-", "-"]
    # NaN is worst; a bound of 0 is that of a value which is only moved.
    worst = leaves[int(np.argmax([leaf.autodiff / max(leaf.bound, 1e-300) for leaf in leaves]))]
    differences = [leaf.differences for leaf in leaves if leaf.differences is not None]
    second = f"{np.max(differences):.1e}" if differences else "-"
    if precision == "float32":
        second = f"{worst.bound:.1e}"
    return [f"{worst.autodiff:.1e}", second]


def _bounds(outcome: Outcome, precision: Precision) -> str:
    everything = [*outcome.rules, *outcome.networks]
    proved = f"{sum(one.passed for one in everything)} of {len(everything)} proved in {precision}"
    if precision == "float32":
        return f"{proved}; errors are relative, the bounds follow from the operations."
    bound = next((leaf.bound for one in everything for case in one.cases for leaf in case), 0)
    return f"{proved}; errors are relative, bounds {bound:.0e} and {DIFFERENCES_BOUND:.0e}."


def _failures(outcome: Outcome) -> Iterable[str]:
    for one in [*outcome.rules, *outcome.networks]:
        if one.error:
            yield f"{one.name}, case {len(one.cases)}: {one.error}"
        for number, case in enumerate(one.cases):
            for leaf in case:
                if not leaf.passed:
                    found = f"autodiff {leaf.autodiff:.1e} (bound {leaf.bound:.1e})"
                    if leaf.differences is not None:
                        found += f", differences {leaf.differences:.1e} ({DIFFERENCES_BOUND:.0e})"
                    yield f"{one.name}, case {number}, {leaf.name} {_shape(leaf.shape)}: {found}"
    for mistake, caught, error in outcome.mistakes:
        if not caught:
            yield f"not caught: {mistake.rule}, {mistake.what}{': ' if error else ''}{error}"


def _leaf(case: int, leaf: Leaf) -> dict[str, Any]:
    none = leaf.differences is None
    return {
        "case": case,
        "name": leaf.name,
        "shape": list(leaf.shape),
        "autodiff": leaf.autodiff,
        "autodiff_bound": leaf.bound,
        "differences": leaf.differences,
        "differences_bound": None if none else DIFFERENCES_BOUND,
        "verdict": "proved" if leaf.passed else "failed",
    }


def _verdict(one: Checked) -> str:
    return "proved" if one.passed else "failed"


def _inputs(network: str) -> tuple[int, ...]:
    return (NUM_EXAMPLES, *entry(network).inputs.shape)


def _shape(shape: Iterable[int]) -> str:
    return "x".join(map(str, shape)) or "()"
