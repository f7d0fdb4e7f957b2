"""`--sweep NAME=VALUES ...`: which settings can be swept, and the grid that was asked for."""

import math
from collections.abc import Sequence
from dataclasses import fields
from itertools import product
from typing import Any

SWEPT = ("learning_rate", "dropout_rate")
"""The floats that are data of the program: to the optimizer, and to the model."""

Grid = list[dict[str, float]]


def grid_of(sweep: Sequence[str], config: Any) -> Grid:
    """Return every combination of the values, the last name varying fastest.

    Args:
        sweep: as `("learning_rate=1e-4,1e-3", "dropout_rate=0,0.5")`.
        config: of the experiment.

    Raises:
        ValueError: for what is no `NAME=VALUES`, a name that the configuration does not have or
            that is there twice, a setting that cannot be swept, values that are no numbers, not
            finite, twice the same, or no rate.
    """
    values: dict[str, list[float]] = {}
    for text in sweep:
        name, equals, numbers = text.partition("=")
        name = name.strip().replace("-", "_")
        if not (equals and numbers.strip()):
            raise ValueError(f"sweep: expected NAME=VALUE,VALUE,..., got {text!r}")
        if name in values:
            raise ValueError(f"sweep: {name} is there twice; give all its values at once")
        _check_name(name, config)
        values[name] = _numbers(name, numbers)
    return [dict(zip(values, point, strict=True)) for point in product(*values.values())]


def _check_name(name: str, config: Any) -> None:
    settings = [field.name for field in fields(config)]
    mine = [one for one in SWEPT if one in settings]
    if name not in settings:
        raise ValueError(f"sweep: there is no setting {name!r}; expected {' or '.join(mine)}")
    if name not in SWEPT:
        raise ValueError(
            f"sweep: {name} cannot be swept, for it is no number that the one program of a sweep "
            f"could take as data (shapes, data or names depend on it); give each value a run of "
            f"its own, --{name.replace('_', '-')} VALUE, or sweep {' or '.join(mine)}"
        )
    if name == "dropout_rate" and getattr(config, "gradients", "") == "hand":
        raise ValueError(
            "sweep: dropout_rate is a constant of the hand derivation; use --gradients autodiff"
        )


def _numbers(name: str, text: str) -> list[float]:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(f"sweep: {name}: expected numbers with commas, got {text!r}") from None
    least, below = 0.0, 1.0 if name == "dropout_rate" else math.inf
    wrong = [number for number in numbers if not least <= number < below]
    if wrong:
        end = "below 1" if below == 1 else "finite"
        raise ValueError(f"sweep: {name}: expected numbers of at least 0 and {end}, got {wrong[0]}")
    if len(set(numbers)) < len(numbers):
        raise ValueError(f"sweep: {name}: a value is there twice in {text!r}")
    return numbers


def label(point: dict[str, float]) -> str:
    """Return a combination in words, as `learning rate 0.001`."""
    return ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in point.items())
