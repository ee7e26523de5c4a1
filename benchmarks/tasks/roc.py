"""Whether two pictures show one person: error rates at every threshold of the similarity."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Roc", "verification_hits"]


class Roc:
    """Accept and refuse pairs at every threshold; a pair is accepted at or above it.

    Args:
        similarity: float ``[N]``, finite, larger is more alike.
        same: bool ``[N]``, whether a pair shows one person.

    Attributes:
        others: how many pairs show two people.
    """

    def __init__(self, similarity: ArrayLike, same: ArrayLike) -> None:
        values, truth = np.asarray(similarity, np.float64), np.asarray(same, bool)
        self._order = np.argsort(-values, kind="stable")
        self._values, self._same = values[self._order], truth[self._order]
        self.others = int((~truth).sum())
        # Equal pairs are accepted together: a threshold lies behind the last of them.
        self._ends = np.flatnonzero(
            np.append(self._values[1:] < self._values[:-1], len(values) > 0)
        )

    def tells(self, false_accept: float) -> bool:
        """Say whether there are pairs enough: one false accept must be a share that is allowed."""
        return false_accept * self.others >= 1 - 1e-9

    def rates(self, times: ArrayLike | None = None) -> tuple[NDArray[np.float64], ...]:
        """Return the shares accepted at each distinct similarity, from the largest down.

        Args:
            times: ``[N]``, how often each pair counts; once without.

        Returns:
            False accepts and true accepts, float64 ``[K]`` each, 0..1; NaN where there are no
            pairs of that kind.
        """
        weight = np.ones(len(self._order)) if times is None else np.asarray(times)[self._order]
        weight = weight.astype(np.float64)
        found = []
        for kind in (~self._same, self._same):
            accepted = np.cumsum(weight * kind)
            total = accepted[-1] if len(accepted) else 0.0
            found.append(accepted[self._ends] / (total if total > 0 else math.nan))
        return tuple(found)

    def true_accept(self, false_accept: float, times: ArrayLike | None = None) -> float:
        """Return the share of same pairs accepted where at most ``false_accept`` others are.

        Returns:
            0..1; NaN without both kinds of pairs.
        """
        accepted, right = self.rates(times)
        if not len(accepted) or math.isnan(accepted[-1]) or math.isnan(right[-1]):
            return math.nan
        last = self._last(accepted, false_accept)
        return float(right[last]) if last >= 0 else 0.0

    def threshold(self, false_accept: float, times: ArrayLike | None = None) -> float:
        """Return the lowest threshold at which at most ``false_accept`` others are accepted.

        Midway between the least similar pair that is accepted and the next.

        Returns:
            A similarity; NaN without different pairs.
        """
        accepted, _ = self.rates(times)
        if not len(accepted) or math.isnan(accepted[-1]):
            return math.nan
        levels, last = self._values[self._ends], self._last(accepted, false_accept)
        if last < 0:
            return float(np.nextafter(levels[0], math.inf))
        if last + 1 == len(levels):
            return float(levels[last])
        return float((levels[last] + levels[last + 1]) / 2)

    def equal_error(self, times: ArrayLike | None = None) -> float:
        """Return the error where as many same pairs are refused as different ones accepted.

        Between two thresholds the larger of both rates is taken at the one where it is smallest.

        Returns:
            0..1; NaN without both kinds of pairs.
        """
        accepted, right = self.rates(times)
        worst = np.maximum(np.append(0.0, accepted), 1 - np.append(0.0, right))
        return float(worst.min()) if len(accepted) and not np.isnan(worst).any() else math.nan

    @staticmethod
    def _last(accepted: NDArray[np.float64], allowed: float) -> int:
        """Return the last place where no more than ``allowed`` are accepted, or -1."""
        return int(np.searchsorted(accepted, allowed + 1e-12, side="right")) - 1


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
