"""Figures of merit, each with the source of its formula."""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Interval",
    "bootstrap_interval",
    "cosine",
    "equal_error_rate",
    "psnr",
    "sqnr_db",
    "ssim",
    "true_accept_rate",
    "verification_hits",
    "wilson_interval",
]

#: Lower and upper end.
Interval = tuple[float, float]

#: 97.5 % quantile of the normal distribution: two-sided 95 %.
_Z95 = 1.959963984540054


def wilson_interval(hits: int, n: int) -> Interval:
    """Return the 95 % score interval of a share (Wilson, 1927).

    Args:
        hits: 0..n.
        n: number of trials; with none nothing is known, and the interval is 0..1.
    """
    if n == 0:
        return 0.0, 1.0
    share = hits / n
    z2 = _Z95 * _Z95
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z95 * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))


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
    x, y = a.astype(np.float64), b.astype(np.float64)
    mean_x, mean_y = _blur(x), _blur(y)
    variance_x = _blur(x * x) - mean_x**2
    variance_y = _blur(y * y) - mean_y**2
    covariance = _blur(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    top = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    bottom = (mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2)
    return float((top / bottom).mean())


def _blur(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the Gaussian mean of every whole 11x11 window."""
    blurred = np.asarray(cv2.GaussianBlur(image, (11, 11), 1.5), np.float64)
    return blurred[5:-5, 5:-5]


def verification_hits(similarity: ArrayLike, same: ArrayLike, fold: ArrayLike) -> NDArray[np.bool_]:
    """Judge every pair with the threshold that is best on all folds but its own.

    The protocol of Labeled Faces in the Wild, view 2 (Huang et al., 2007).

    Args:
        similarity: float ``[N]``, larger is more alike.
        same: bool ``[N]``, whether a pair shows one person.
        fold: int ``[N]``.

    Returns:
        bool ``[N]``: whether the pair was judged rightly.
    """
    values, truth, folds = np.asarray(similarity), np.asarray(same, bool), np.asarray(fold)
    hits = np.zeros(len(values), bool)
    for number in np.unique(folds):
        mine = folds == number
        threshold = _best_threshold(values[~mine], truth[~mine])
        hits[mine] = (values[mine] >= threshold) == truth[mine]
    return hits


def _best_threshold(similarity: NDArray[np.float64], same: NDArray[np.bool_]) -> float:
    """Return the threshold with the most right judgements, midway between two pairs."""
    if len(similarity) == 0:
        return 0.5
    order = np.argsort(similarity, kind="stable")
    values, truth = similarity[order], same[order]
    # With the threshold below pair i: the different ones before it and the same ones from it on.
    right = np.concatenate([[0], np.cumsum(~truth)]) + np.concatenate(
        [np.cumsum(truth[::-1])[::-1], [0]]
    )
    edges = np.concatenate([[values[0] - 1], (values[1:] + values[:-1]) / 2, [values[-1] + 1]])
    distinct = np.concatenate([[True], values[1:] > values[:-1], [True]])
    return float(edges[int(np.argmax(np.where(distinct, right, -1)))])


def true_accept_rate(similarity: ArrayLike, same: ArrayLike, *, false_accept: float) -> float:
    """Return the share of same pairs accepted where at most ``false_accept`` of the others are.

    Args:
        similarity: float ``[N]``, larger is more alike.
        same: bool ``[N]``.
        false_accept: 0..1, the share of different pairs that may be accepted.

    Returns:
        0..1; NaN without both kinds of pairs.
    """
    values, truth = np.asarray(similarity, np.float64), np.asarray(same, bool)
    others = np.sort(values[~truth])[::-1]
    if len(others) == 0 or not truth.any():
        return math.nan
    allowed = math.floor(false_accept * len(others))
    if allowed >= len(others):
        return 1.0
    return float((values[truth] > others[allowed]).mean())


def equal_error_rate(similarity: ArrayLike, same: ArrayLike) -> float:
    """Return the error where as many same pairs are refused as different ones accepted.

    Between two thresholds the larger of both rates is taken at the one where it is smallest.

    Returns:
        0..1; NaN without both kinds of pairs.
    """
    values, truth = np.asarray(similarity, np.float64), np.asarray(same, bool)
    mine, others = np.sort(values[truth]), np.sort(values[~truth])
    if len(mine) == 0 or len(others) == 0:
        return math.nan
    thresholds = np.append(np.unique(values), np.inf)
    refused = np.searchsorted(mine, thresholds, side="left") / len(mine)
    accepted = 1 - np.searchsorted(others, thresholds, side="left") / len(others)
    return float(np.maximum(refused, accepted).min())


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
