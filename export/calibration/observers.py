"""Remember a tensor's values in little memory, and choose the range that INT8 keeps of them.

Every choice is a pair (least, greatest) within the true ends.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["CHOICES", "Ends", "Histogram", "Span", "entropy", "mse", "percentile"]

#: Least and greatest real value.
Span = tuple[float, float]

#: Bins on either side of zero. The greater side always fills at least half of its own, which
#: gives 2048 or more of them to the magnitudes, as TensorRT's calibrator has.
_HALF = 4096
#: Bins are never narrower than 2 to this power, so that a value over a width stays finite.
_FINEST = -100
#: Numbers of an int8.
_LEVELS = 256
#: Fewer values than these are no distribution whose information could be measured.
_ENOUGH = 16 * 2048
#: How many thresholds a search tries.
_STEPS = 128


class Ends:
    """The true ends of all values seen."""

    def __init__(self) -> None:
        self.least = math.inf
        self.greatest = -math.inf

    def add(self, values: NDArray[np.float32]) -> bool:
        """Take values in.

        Args:
            values: float32 of any shape.

        Returns:
            Whether all of them are finite; if not, nothing is taken in.
        """
        if values.size == 0:
            return True
        least, greatest = float(values.min()), float(values.max())
        if not (math.isfinite(least) and math.isfinite(greatest)):
            return False
        self.least, self.greatest = min(self.least, least), max(self.greatest, greatest)
        return True

    def span(self) -> Span:
        """Return the true ends; zeros where nothing was seen."""
        return (self.least, self.greatest) if self.least <= self.greatest else (0.0, 0.0)


class Histogram(Ends):
    """Counts of values in bins of one width about zero.

    The width is a power of two and doubles, merging pairs of bins, when a value lies outside. So
    the counts are those of a histogram that knew the final range from the start, and the order of
    the values does not matter.

    Attributes:
        counts: int64 ``[8192]``; bin ``i`` holds values from ``(i - 4096) * width`` up.
    """

    def __init__(self) -> None:
        super().__init__()
        self.counts = np.zeros(2 * _HALF, np.int64)
        self._power = _FINEST

    @property
    def width(self) -> float:
        """Width of a bin."""
        return math.ldexp(1.0, self._power)

    def add(self, values: NDArray[np.float32]) -> bool:
        """Take values in; see ``Ends.add``."""
        if not super().add(values):
            return False
        farthest = max(-self.least, self.greatest)
        if farthest > 0:
            self._widen(math.frexp(farthest / _HALF)[1])
        places = np.floor(values.ravel() * np.float32(1 / self.width)).astype(np.int32)
        # An end of the range that is just below a power of two may round up to it.
        np.clip(places, -_HALF, _HALF - 1, out=places)
        self.counts += np.bincount(places + _HALF, minlength=2 * _HALF)
        return True

    def _widen(self, power: int) -> None:
        while self._power < power and self.counts.any():
            merged = self.counts.reshape(-1, 2).sum(1)
            self.counts[:] = 0
            self.counts[_HALF // 2 : _HALF // 2 + _HALF] = merged
            self._power += 1
        self._power = max(self._power, power)


def percentile(seen: Histogram, *, share: float = 99.99) -> Span:
    """Keep ``share`` percent of the values, and cut off as many at either end.

    Args:
        seen: the values.
        share: in percent, 50..100.
    """
    total = int(seen.counts.sum())
    if total == 0:
        return seen.span()
    cut = total * (1 - share / 100) / 2
    first = int(np.argmax(np.cumsum(seen.counts) > cut))
    last = 2 * _HALF - 1 - int(np.argmax(np.cumsum(seen.counts[::-1]) > cut))
    return _within(seen, (first - _HALF) * seen.width, (last + 1 - _HALF) * seen.width)


def entropy(seen: Histogram) -> Span:
    """Choose the threshold that loses the least information.

    The threshold on magnitudes with the least Kullback-Leibler divergence between the values,
    those beyond it moved onto it, and the same values in INT8 (S. Migacz, "8-bit inference with
    TensorRT", GTC 2017). Zeros stay exact at any threshold, so their bin counts as its neighbour
    does (NVIDIA's pytorch-quantization). A tensor of few values, such as logits, keeps its ends.
    """
    folded = seen.counts[_HALF:] + seen.counts[:_HALF][::-1]
    if folded.sum() < _ENOUGH:
        return seen.span()
    used = int(np.flatnonzero(folded)[-1]) + 1
    counts: NDArray[np.float64] = folded[:used].astype(np.float64)
    if used > 1:
        counts[0] = counts[1]
    # Where values have both signs, each sign has half of the numbers.
    levels = _LEVELS // 2 if seen.least < 0 < seen.greatest else _LEVELS
    if used <= levels or counts.sum() == 0:
        return seen.span()
    edges = np.unique(np.linspace(levels, used, _STEPS).round().astype(int))
    best = int(min(edges[::-1], key=lambda edge: _divergence(counts, int(edge), levels)))
    return _within(seen, -best * seen.width, best * seen.width)


def _divergence(counts: NDArray[np.float64], edge: int, levels: int) -> float:
    """Return KL(P || Q) in nats for the threshold at a bin's edge; infinite where Q lacks a bin."""
    kept = counts[:edge]
    wanted = kept.copy()
    wanted[-1] += counts[edge:].sum()
    level = np.arange(edge) * levels // edge
    filled = kept > 0
    total = np.bincount(level, kept, levels)
    share = total / np.maximum(np.bincount(level, filled, levels), 1)
    stored = np.where(filled, share[level], 0.0)
    here = wanted > 0
    if not stored.any() or (stored[here] == 0).any():
        return math.inf
    p, q = wanted[here] / wanted.sum(), stored[here] / stored.sum()
    return float((p * np.log(p / q)).sum())


def mse(seen: Histogram) -> Span:
    """Choose the range with the least mean squared error after rounding and clipping to int8.

    Both ends are searched in turn until neither moves.
    """
    filled = np.flatnonzero(seen.counts)
    if filled.size == 0:
        return seen.span()
    values = (filled - (_HALF - 0.5)) * np.float64(seen.width)
    weights = seen.counts[filled].astype(np.float64)
    ends = [min(seen.least, 0.0), max(seen.greatest, 0.0)]
    best = list(ends)
    for _ in range(4):
        before = tuple(best)
        for side in (1, 0):
            tried = [[*best] for _ in range(_STEPS)]
            for number, span in enumerate(tried):
                span[side] = ends[side] * (_STEPS - number) / _STEPS
            best = min(tried, key=lambda span: _squared_error(values, weights, span[0], span[1]))
        if tuple(best) == before:
            break
    return _within(seen, best[0], best[1])


def _squared_error(
    values: NDArray[np.float64], weights: NDArray[np.float64], least: float, greatest: float
) -> float:
    """Return the summed squared error of int8 with this range, its zero point rounded."""
    scale = (greatest - least) / (_LEVELS - 1)
    if scale <= 0:
        return float(weights @ values**2)
    zero = np.rint(-least / scale)
    stored = np.clip(np.rint(values / scale) + zero, 0, _LEVELS - 1)
    return float(weights @ ((stored - zero) * scale - values) ** 2)


def _within(seen: Ends, least: float, greatest: float) -> Span:
    return max(seen.least, least), min(seen.greatest, greatest)


#: How a range is chosen from a histogram, by the method's name.
CHOICES: Mapping[str, Callable[..., Any]] = {
    "percentile": percentile,
    "entropy": entropy,
    "mse": mse,
}
