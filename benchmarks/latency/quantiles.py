"""Percentiles of raw latencies, with intervals that assume no distribution."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchmarks.metrics import Interval

__all__ = ["percentile", "percentile_interval", "rate_interval"]

#: 97.5 % quantile of the normal distribution; it stands for the binomial one of the ranks.
_Z95 = 1.959963984540054
#: Pieces of a run whose rates are compared: enough for a t-like spread, few enough to be long.
_PIECES = 20


def percentile(values: ArrayLike, share: float) -> float:
    """Return the least value that at least ``share`` of all values do not exceed; NaN for none."""
    ordered = np.sort(np.asarray(values, np.float64))
    if not len(ordered):
        return math.nan
    return float(ordered[max(0, math.ceil(share * len(ordered)) - 1)])


def percentile_interval(values: ArrayLike, share: float) -> Interval:
    """Return the 95 % interval of a percentile, from the ranks beside it.

    Conover, Practical Nonparametric Statistics (1999), section 3.2: how many values lie below the
    true percentile is binomial, whatever their distribution. Where the ranks leave the sample, its
    ends are all that is known.
    """
    ordered = np.sort(np.asarray(values, np.float64))
    n = len(ordered)
    if not n:
        return math.nan, math.nan
    half = _Z95 * math.sqrt(n * share * (1 - share))
    low, high = math.floor(n * share - half), math.ceil(n * share + half)
    return float(ordered[max(0, low - 1)]), float(ordered[min(n - 1, high)])


def rate_interval(ends_ns: Sequence[int], frames_each: int) -> Interval:
    """Return the 95 % interval of frames a second, from pieces of the run.

    A bootstrap over single latencies would take them for independent; a board that heats up, or a
    neighbour, makes them drift together, and pieces of the run see that.

    Args:
        ends_ns: when each query ended, since the run began, ascending.
        frames_each: frames a query.
    """
    n = len(ends_ns)
    if n < 2 * _PIECES:
        return math.nan, math.nan
    edges = np.linspace(0, n, _PIECES + 1).round().astype(int)
    marks: NDArray[np.float64] = np.array([0, *ends_ns], np.float64)[edges]
    rates = frames_each * np.diff(edges) / (np.diff(marks) / 1e9)
    half = _Z95 * float(rates.std(ddof=1)) / math.sqrt(_PIECES)
    middle = float(frames_each * n / (marks[-1] / 1e9))
    return middle - half, middle + half
