"""Figures of merit, each with the source of its formula."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Interval",
    "Statistic",
    "bootstrap_interval",
    "cosine",
    "effective_trials",
    "psnr",
    "resampled_interval",
    "sqnr_db",
    "ssim",
    "ssim_map",
    "wilson_interval",
]

#: Lower and upper end.
Interval = tuple[float, float]

#: Reckoned from how often each unit was drawn, int ``[units]``; ones give the figure itself.
Statistic = Callable[[NDArray[np.int64]], float]

#: 97.5 % quantile of the normal distribution: two-sided 95 %.
_Z95 = 1.959963984540054


def wilson_interval(hits: float, n: float) -> Interval:
    """Return the 95 % score interval of a share (Wilson, 1927).

    Args:
        hits: 0..n.
        n: number of trials; with none nothing is known, and the interval is 0..1. No whole
            number where it is ``effective_trials``.
    """
    if n == 0:
        return 0.0, 1.0
    share = hits / n
    z2 = _Z95 * _Z95
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z95 * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))


def effective_trials(hits: ArrayLike, units: Sequence[tuple[str, ...]]) -> float:
    """Return how many independent trials know as much of a share as these dependent ones.

    Pictures of one person, or faces of one picture, tend to be right or wrong together. The share's
    variance with such ties over what independent trials would have is the design effect (Kish,
    "Survey Sampling", 1965); n divided by it goes into the Wilson interval, which holds its level
    for verification too (Fogliato, Patil, Perona, "Confidence Intervals for Error Rates in 1:1
    Matching Tasks", 2024). A trial may hang on two units, as a pair of pictures on two people: two
    trials are tied where they share one (Aronow, Samii, Assenova, "Cluster-Robust Variance
    Estimation for Dyadic Data", 2015).

    Args:
        hits: bool ``[N]``.
        units: ``[N]``, the one or two units of each trial, all of one number.

    Returns:
        Above 0 and at most N; N where nothing varies.
    """
    values = np.asarray(hits, np.float64)
    n, average = len(values), float(values.mean()) if len(values) else 0.0
    of_unit: dict[str, float] = defaultdict(float)
    of_both: dict[frozenset[str], float] = defaultdict(float)
    for error, names in zip(values - average, units, strict=True):
        for name in set(names):
            of_unit[name] += float(error)
        if len(set(names)) > 1:
            of_both[frozenset(names)] += float(error)
    # A pair of trials that share both units was counted once for each of them.
    spread = sum(v * v for v in of_unit.values()) - sum(v * v for v in of_both.values())
    independent = n * average * (1 - average)
    if spread <= 0 or independent <= 0 or len(of_unit) < 2:
        return float(n)
    few = len(of_unit) / (len(of_unit) - 1)
    return min(float(n), n * independent / (spread * few))


def resampled_interval(
    units: int, statistic: Statistic, *, rounds: int = 1000, seed: int = 0
) -> Interval:
    """Return the 95 % percentile interval of a statistic of dependent values (Efron, 1979).

    Whole units are drawn with replacement, such as people with all their pictures, so that what
    hangs together stays together (the cluster bootstrap).

    Args:
        units: how many there are.
        statistic: reckons the figure; NaN leaves a draw out, as one without a single error of the
            kind that is counted.
        rounds: number of draws.
        seed: of the draws; the same units give the same interval.
    """
    rng = np.random.default_rng(seed)
    draws = [
        statistic(np.bincount(rng.integers(0, units, units), minlength=units))
        for _ in range(rounds if units else 0)
    ]
    known = [value for value in draws if not math.isnan(value)]
    if not known:
        return math.nan, math.nan
    low, high = np.quantile(np.array(known), [0.025, 0.975])
    return float(low), float(high)


def bootstrap_interval(
    values: ArrayLike,
    *,
    statistic: Callable[[NDArray[np.float64]], float] | None = None,
    rounds: int = 1000,
    seed: int = 0,
) -> Interval:
    """Return the 95 % percentile interval of a statistic (Efron, 1979).

    Args:
        values: ``[N]`` or ``[N, K]``; rows are drawn with replacement.
        statistic: of one draw; the mean unless given.
        rounds: number of draws.
        seed: of the draws; the same values give the same interval.
    """
    rows = np.asarray(values, np.float64)
    if len(rows) == 0:
        return math.nan, math.nan
    rng = np.random.default_rng(seed)
    measure = statistic or (lambda draw: float(draw.mean()))
    draws = [measure(rows[rng.integers(0, len(rows), len(rows))]) for _ in range(rounds)]
    low, high = np.quantile(np.array(draws), [0.025, 0.975])
    return float(low), float(high)


def psnr(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Return the peak signal-to-noise ratio of two pictures, over all channels together.

    Args:
        a, b: uint8 of one shape; the peak is 255.

    Returns:
        dB; 99 for pictures that are the same, so that a mean over pictures stays finite.
    """
    error = float(np.mean((a.astype(np.float64) - b) ** 2))
    return 99.0 if error == 0 else min(99.0, 10 * math.log10(255.0**2 / error))


def ssim(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Return the structural similarity of two pictures (Wang et al., 2004).

    An 11x11 Gaussian window with sigma 1.5, K1 = 0.01, K2 = 0.03, L = 255; each channel (blue,
    green, red) by itself, then the mean of the three. Windows that reach over the border are
    left out, as in the authors' own program.

    Args:
        a, b: uint8 ``[H, W]`` or ``[H, W, C]`` of one shape, 11 pixels a side at least.
    """
    return float(ssim_map(a, b).mean())


def ssim_map(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the structural similarity of every whole window; see ``ssim``.

    Returns:
        float64 ``[H - 10, W - 10]`` or with C channels: the window in the middle of pixel
        ``(y + 5, x + 5)``.
    """
    x, y = a.astype(np.float64), b.astype(np.float64)
    mean_x, mean_y = _blur(x), _blur(y)
    variance_x = _blur(x * x) - mean_x**2
    variance_y = _blur(y * y) - mean_y**2
    covariance = _blur(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    top = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    bottom = (mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2)
    return np.asarray(top / bottom)


def _blur(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the Gaussian mean of every whole 11x11 window."""
    blurred = np.asarray(cv2.GaussianBlur(image, (11, 11), 1.5), np.float64)
    return blurred[5:-5, 5:-5]


def cosine(a: ArrayLike, b: ArrayLike) -> float:
    """Return the cosine of two arrays read as vectors; 0 where one of them is all zero."""
    x, y = np.asarray(a, np.float64).ravel(), np.asarray(b, np.float64).ravel()
    length = float(np.linalg.norm(x) * np.linalg.norm(y))
    return float(x @ y) / length if length > 0 else 0.0


def sqnr_db(signal: ArrayLike, quantised: ArrayLike) -> float:
    """Return the power of a signal against that of its quantisation error.

    Returns:
        dB, at most 99.
    """
    x, y = np.asarray(signal, np.float64), np.asarray(quantised, np.float64)
    noise, power = float(((x - y) ** 2).sum()), float((x**2).sum())
    if noise == 0:
        return 99.0
    return min(99.0, 10 * math.log10(max(power, 1e-300) / noise))
