"""How many times as fast one is as another, and how sure that is.

Runs that follow one another are alike: the clock, the heat and the neighbours change slowly. To
draw them one by one, as if each were a witness of its own, would give intervals that are far too
narrow; so whole blocks of consecutive runs are drawn (Carlstein, 1986, "The use of subseries
values for estimating the variance of a general statistic from a stationary sequence").
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchmarks.metrics import Interval, bootstrap_interval

__all__ = [
    "Ratio", "Statistic", "blocks_of", "drawn", "independent_ratio", "median", "paired_quotient",
    "paired_ratio", "percentile_of",
]  # fmt: skip

Statistic = Callable[[NDArray[np.float64]], float]

_ROUNDS = 1000
#: Latencies of a long run that are drawn from; more make the interval no better known.
_MOST = 50_000


@dataclass(frozen=True, slots=True)
class Ratio:
    """A quotient of two positive times.

    Attributes:
        value: of the two, as measured.
        ci95: lower and upper end of its 95 % interval.
    """

    value: float
    ci95: Interval

    @property
    def told_apart(self) -> bool:
        """Whether the interval leaves 1 out."""
        low, high = self.ci95
        return not low <= 1 <= high

    def inverse(self) -> Ratio:
        """Return it the other way round."""
        low, high = self.ci95
        return Ratio(1 / self.value, (1 / high, 1 / low))

    def to_json(self) -> dict[str, object]:
        """Return value and interval to four digits."""
        return {"ratio": round(self.value, 4), "ci95": [round(end, 4) for end in self.ci95]}


def median(values: NDArray[np.float64]) -> float:
    """Return the median of an array of any shape."""
    return float(np.median(values))


def percentile_of(share: float) -> Statistic:
    """Return the function that gives a percentile, 0..100, of an array of any shape."""
    return lambda values: float(np.percentile(values, share))


def paired_ratio(over: ArrayLike, under: ArrayLike) -> Ratio:
    """Return the median quotient of two that ran block by block in turn.

    The quotient is taken within a block, where both met the same load, and only then the median:
    of two medians taken apart each is at the mercy of how often its own runs met a neighbour.

    Args:
        over, under: positive ``[blocks, K]``, of one shape.
    """
    above, below = (np.asarray(side, np.float64).sum(axis=1) for side in (over, under))
    quotients = above / below
    return Ratio(median(quotients), bootstrap_interval(quotients, statistic=median))


def paired_quotient(over: ArrayLike, under: ArrayLike, statistic: Statistic) -> Ratio:
    """Return the quotient of a statistic of two that ran block by block in turn.

    A block is drawn with the runs of both, so that what slowed down both does not count.

    Args:
        over, under: positive ``[blocks, K]``, of one shape.
        statistic: of all runs of either.
    """
    rows = np.stack([np.asarray(over, np.float64), np.asarray(under, np.float64)], axis=1)

    def quotient(draw: NDArray[np.float64]) -> float:
        return statistic(draw[:, 0]) / statistic(draw[:, 1])

    return Ratio(quotient(rows), bootstrap_interval(rows, statistic=quotient))


def independent_ratio(over: ArrayLike, under: ArrayLike, *, statistic: Statistic = median) -> Ratio:
    """Return the quotient of a statistic of two runs that have nothing to do with one another.

    Args:
        over, under: positive ``[blocks, K]``; the two need not have the same shape.
        statistic: of all latencies of either.
    """
    above, below = np.asarray(over, np.float64), np.asarray(under, np.float64)
    draws = drawn(above, statistic, seed=0) / drawn(below, statistic, seed=1)
    low, high = np.quantile(draws, [0.025, 0.975])
    return Ratio(statistic(above) / statistic(below), (float(low), float(high)))


def drawn(blocks: NDArray[np.float64], statistic: Statistic, *, seed: int) -> NDArray[np.float64]:
    """Return a statistic of 1000 samples of blocks drawn with replacement, float64 ``[1000]``."""
    rng = np.random.default_rng(seed)
    count = len(blocks)
    picks = (rng.integers(0, count, count) for _ in range(_ROUNDS))
    return np.array([statistic(blocks[pick]) for pick in picks])


def blocks_of(latencies: ArrayLike, *, period: int = 1) -> NDArray[np.float64]:
    """Cut a run into blocks of consecutive latencies, about as many as a block is long.

    Args:
        latencies: ``[N]`` in order.
        period: different frames that were taken in turn; a block holds whole turns, unless that
            would leave fewer than eight blocks.

    Returns:
        float64 ``[blocks, K]``; less than a block at the end is left out. Of a run of more than
        50,000 every so many turns are taken.
    """
    values = np.asarray(latencies, np.float64)
    period = period if 8 * period <= len(values) else 1
    if len(values) > _MOST:
        turns = values[: len(values) // period * period].reshape(-1, period)
        values = turns[:: math.ceil(turns.size / _MOST)].ravel()
    # Never fewer than eight blocks, where there are values for as many.
    length = max(period, min(math.isqrt(len(values)), len(values) // 8) // period * period)
    count = len(values) // length
    return values[: count * length].reshape(count, length)
