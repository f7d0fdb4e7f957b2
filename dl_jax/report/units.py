"""Times, rates and counts as a table has them: three digits and a unit."""

from collections.abc import Mapping
from typing import Any

_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))


def seconds(value: float | None) -> str:
    """Return a time.

    >>> [seconds(x) for x in (1.5e-5, 0.0271, 0.9999, 83.4, 1234.0, None)]
    ['15.0 µs', '27.1 ms', '1.00 s', '83.4 s', '1234 s', '-']
    """
    if value is None:
        return "-"
    units = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6))
    unit, size = next((one for one in units if value >= 0.9995 * one[1]), units[-1])
    return f"{digits(value / size)} {unit}"


def count(value: float | None, unit: str = "") -> str:
    """Return a large number.

    >>> [count(x) for x in (1.825e9, 999_600, 34_826, 12.0, None)]
    ['1.83 G', '1.00 M', '34.8 k', '12.0', '-']
    """
    if value is None:
        return "-"
    size, prefix = next((one for one in _PREFIXES if value >= 0.9995 * one[0]), _PREFIXES[-1])
    return f"{digits(value / size)} {prefix}{unit}".rstrip()


def short_count(value: float) -> str:
    """Return a round number without its zeros.

    >>> [short_count(x) for x in (1e10, 1e3, 10.0, 0.1)]
    ['10 G', '1 k', '10', '0.1']
    """
    number, *prefix = count(value).split()
    return " ".join([f"{float(number):g}", *prefix])


def short_seconds(value: float) -> str:
    """Return a round time without its zeros.

    >>> [short_seconds(x) for x in (0.02, 1.0)]
    ['20 ms', '1 s']
    """
    number, unit = seconds(value).split()
    return f"{float(number):g} {unit}"


def share(value: float | None) -> str:
    """Return a share in per cent.

    >>> [share(x) for x in (0.625, 0.004, None)]
    ['62 %', '0.4 %', '-']
    """
    if value is None:
        return "-"
    return f"{100 * value:.1f} %" if value < 0.0095 else f"{100 * value:.0f} %"


def timing(value: Mapping[str, Any] | None) -> str:
    """Return a time with its quartiles (`median`, `q1`, `q3`), in the unit of the median.

    >>> timing({"n": 5, "median": 0.0271, "q1": 0.026, "q3": 0.0283})
    '27.1 [26.0, 28.3] ms'
    """
    if value is None:
        return "-"
    median, unit = seconds(value["median"]).split()
    size = {"s": 1.0, "ms": 1e-3, "µs": 1e-6}[unit]
    q1, q3 = (digits(value[key] / size) for key in ("q1", "q3"))
    return f"{median} [{q1}, {q3}] {unit}"


def ratio(value: Mapping[str, Any] | None) -> str:
    """Return a ratio with its quartiles.

    >>> ratio({"n": 5, "median": 2.514, "q1": 2.4, "q3": 12.6})
    '2.51 [2.40, 12.6]'
    """
    if value is None:
        return "-"
    median, q1, q3 = (digits(value[key]) for key in ("median", "q1", "q3"))
    return f"{median} [{q1}, {q3}]"


def digits(value: float) -> str:
    """Return three digits.

    >>> [digits(x) for x in (0.1234, 1.0, 9.996, 27.14, 99.96, 350.2)]
    ['0.12', '1.00', '10.0', '27.1', '100', '350']
    """
    decimals = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{decimals}f}"
