"""How far runs of several seeds lie apart."""

import math
from collections.abc import Mapping, Sequence
from typing import TypedDict

import numpy as np


class Spread(TypedDict):
    """What several seeds say of a figure, besides their mean.

    Keys:
        n: how many seeds.
        std: their standard deviation, with n - 1 below the sum.
        low: of the 95 % interval of the mean, by Student's t.
        high: of the same.
    """

    n: int
    std: float
    low: float
    high: float


def mean_and_spread(values: Sequence[float]) -> tuple[float, Spread | None]:
    """Return the mean of the seeds and their spread; None of one seed, which has none.

        mean -+ t_{0.975, n - 1} s / sqrt(n),    s^2 = 1/(n - 1) sum_i (x_i - mean)^2

    A value that is not finite makes all of them so.

    Raises:
        ValueError: for no value.

    >>> mean, spread = mean_and_spread([1.0, 2.0, 3.0])
    >>> mean, spread["std"], round(spread["high"] - mean, 3)  # t is 4.303
    (2.0, 1.0, 2.484)
    """
    if not len(values):
        raise ValueError("values: expected at least one, got none")
    if len(values) == 1:
        return float(values[0]), None
    from scipy.special import stdtrit  # scipy.stats takes a second to import

    n = len(values)
    with np.errstate(invalid="ignore"):  # infinity less infinity
        mean, std = float(np.mean(values)), float(np.std(values, ddof=1))
    half = float(stdtrit(n - 1, 0.975)) * std / math.sqrt(n)
    return mean, {"n": n, "std": std, "low": mean - half, "high": mean + half}


def history_of(
    histories: Sequence[Sequence[Mapping[str, float]]],
) -> tuple[list[dict[str, float]], list[dict[str, Spread]]]:
    """Return a row of means an epoch, and beside it a row of spreads; `[]` of one member.

    Args:
        histories: of each member, rows of the same epochs with the same figures.
    """
    means: list[dict[str, float]] = []
    spreads: list[dict[str, Spread]] = []
    for rows in zip(*histories, strict=True):
        both = {k: mean_and_spread([row[k] for row in rows]) for k in rows[0] if k != "epoch"}
        means.append({"epoch": rows[0]["epoch"], **{k: mean for k, (mean, _) in both.items()}})
        spreads.append({k: spread for k, (_, spread) in both.items() if spread})
    return means, spreads if len(histories) > 1 else []
