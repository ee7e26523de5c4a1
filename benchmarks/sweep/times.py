"""What the slices of a way say of its time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.metrics import Interval
from benchmarks.race import Statistic, drawn, even, percentile_of
from benchmarks.records import Times

__all__ = ["times_of"]


def times_of(slices: Sequence[Sequence[float]]) -> Times:
    """Return percentiles and rate, with intervals from drawing whole rounds.

    Args:
        slices: nanoseconds of every run, by round.
    """
    rows = even(slices) / 1e6
    p50, p90 = percentile_of(50), percentile_of(90)

    def ends(statistic: Statistic) -> Interval:
        low, high = np.quantile(drawn(rows, statistic, seed=0), [0.025, 0.975])
        return round(float(low), 5), round(float(high), 5)

    return Times(
        count=sum(map(len, slices)),
        p50_ms=round(p50(rows), 5),
        p50_ci95=ends(p50),
        p90_ms=round(p90(rows), 5),
        p90_ci95=ends(p90),
        fps=round(_rate(rows), 4),
        fps_ci95=ends(_rate),
    )


def _rate(ms: NDArray[np.float64]) -> float:
    """Return runs a second."""
    return 1e3 / float(ms.mean())
