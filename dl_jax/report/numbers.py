"""Numbers as people read them, the same in the console, in the plots and on the page."""

import math
from typing import Any


def format_number(value: Any) -> str:
    """A number with as many digits as mean something, or `str(value)` for anything else.

    Whole numbers are grouped: `34,826`. Others have four decimals below 10, so that
    accuracies line up, and fewer the larger they are; tiny ones and those from 10^10 on are in
    powers of ten, and what is exactly 0 says so.

    >>> [format_number(x) for x in (34826, 0.9911, 12.345, 1234.5, 2e-05, 3e29, 0.0, None)]
    ['34,826', '0.9911', '12.35', '1,234', '2.00e-05', '3.00e+29', '0', '–']
    """
    if value is None:
        return "–"
    if isinstance(value, str | bool):
        return str(value)
    if hasattr(value, "tolist"):  # a numpy scalar
        value = value.tolist()
    if isinstance(value, int):
        return f"{value:,}"
    if not isinstance(value, float):
        return str(value)
    size = abs(value)
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("∞" if value > 0 else "−∞")
    if size == 0:
        return "0"
    if size < 5e-4 or size >= 1e10:
        return f"{value:.2e}"
    decimals = 4 if size < 9.99995 else 2 if size < 99.995 else 1 if size < 999.95 else 0
    return f"{value:,.{decimals}f}"


def format_seconds(seconds: float | None) -> str:
    """A duration: `840 µs`, `47 ms`, `1.36 s`, `12.3 s`, `3 min 05 s`, `1 h 02 min`.

    >>> [format_seconds(x) for x in (0.00084, 0.047, 12.345, 185, 3725)]
    ['840 µs', '47 ms', '12.3 s', '3 min 05 s', '1 h 02 min']
    """
    if seconds is None or not math.isfinite(seconds):
        return "–"
    if seconds < 0.9995e-3:
        return f"{1e6 * seconds:.0f} µs"
    if seconds < 0.9995:
        return f"{1e3 * seconds:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.2f} s" if seconds < 9.995 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min"
