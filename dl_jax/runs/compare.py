"""Two runs side by side: what was set differently, what came out, and on what."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from dl_jax.report import Result, format_number
from dl_jax.report.table import format_table
from dl_jax.report.units import seconds

_NOT_SETTINGS = ("out", "tensorboard")  # of the configuration: where a run writes, and what


class Comparison(NamedTuple):
    """What two runs have in common, and what not.

    Attributes:
        config: settings that differ, each as the first and the second run have it.
        figures: each figure's two values and the second minus the first; None where a run lacks it.
        times: the same of the seconds of each part.
        conditions: data, versions, devices and precision: each as the first and the second have it.
    """

    config: dict[str, tuple[Any, Any]]
    figures: dict[str, tuple[float | None, float | None, float | None]]
    times: dict[str, tuple[float | None, float | None, float | None]]
    conditions: dict[str, tuple[Any, Any]]

    @property
    def different_conditions(self) -> list[str]:
        """The names of those that are not the same."""
        return [name for name, (a, b) in self.conditions.items() if a != b]


def compare(a: Result, b: Result) -> Comparison:
    """Compare two runs. Numbers that are not finite have no difference."""
    settings = _both(a["config"], b["config"])
    return Comparison(
        config={k: v for k, v in settings.items() if v[0] != v[1] and k not in _NOT_SETTINGS},
        figures=_differences(
            *({figure["name"]: figure["value"] for figure in run["figures"]} for run in (a, b))
        ),
        times=_differences(a["times"], b["times"]),
        conditions=_both(_conditions(a), _conditions(b)),
    )


def _conditions(run: Result) -> dict[str, Any]:
    data, machine = run["data"] or {}, run["environment"]
    return {
        "experiment": run["experiment"],
        "data": data.get("name"),
        "data digest": data.get("digest"),
        **{name.replace("_", " "): of for name, of in machine.items() if name != "packages"},
        **machine.get("packages", {}),
    }


def _both(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {key: (a.get(key), b.get(key)) for key in dict.fromkeys([*a, *b])}


def _differences(
    a: Mapping[str, Any], b: Mapping[str, Any]
) -> dict[str, tuple[float | None, float | None, float | None]]:
    def difference(x: Any, y: Any) -> float | None:
        numbers = isinstance(x, int | float) and isinstance(y, int | float)
        return y - x if numbers else None

    return {key: (x, y, difference(x, y)) for key, (x, y) in _both(a, b).items()}


def as_json(comparison: Comparison) -> dict[str, Any]:
    """Return the comparison for `report.write_json`."""
    return {**comparison._asdict(), "different_conditions": comparison.different_conditions}


def as_text(paths: Iterable[Path], comparison: Comparison) -> str:
    """Return the comparison as plain text."""
    lines = [f"{letter}  {path}" for letter, path in zip("AB", paths, strict=True)]
    rows: list[list[str]] = []
    if comparison.figures:
        rows += [["Figures"], *_numbers(comparison.figures, format_number, _signed)]
    rows += [["Times"], *_numbers(comparison.times, seconds, _signed_seconds)]
    settings = [[f"  {k}", _cell(a), _cell(b)] for k, (a, b) in comparison.config.items()]
    rows += [["Settings"], *([*row, ""] for row in settings or [["  all the same", "", ""]])]
    different = comparison.different_conditions
    for name in different:
        values = comparison.conditions[name]
        rows += [["Conditions"]] if name == different[0] else []
        rows += [[f"  {name}", *map(_cell, values), ""]]
    lines += ["", format_table(("", "A", "B", "B - A"), rows, numbers=(1, 2, 3)), ""]
    same = [name for name in comparison.conditions if name not in different]
    lines.append(f"The same: {', '.join(same) or 'nothing'}.")
    return "\n".join(lines)


def _numbers(found: Mapping[str, tuple[Any, Any, float | None]], text, signed) -> list[list[str]]:
    def cell(value: Any, how) -> str:
        return value if isinstance(value, str) else "-" if value is None else how(value)

    return [
        [f"  {k}", cell(a, text), cell(b, text), cell(d, signed)]
        for k, (a, b, d) in found.items()
    ]  # fmt: skip


def _signed(value: float) -> str:
    return ("+" if value > 0 else "") + format_number(value)


def _signed_seconds(value: float) -> str:
    return ("+" if value > 0 else "-" if value < 0 else "") + seconds(abs(value))


def _cell(value: Any) -> str:
    """A value, shortened so that two fit beside each other."""
    if isinstance(value, list | tuple):
        value = " ".join(map(str, value))
    text = "-" if value is None else format_number(value)
    return text if len(text) <= 32 else f"{text[:31]}…"
