"""Which detections are faces: boxes against boxes, and the precision over all scores."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.figures import Measure, resampled
from edge.geometry import iou_matrix

__all__ = ["MIN_IOU", "Matched", "average_precision", "match"]

MIN_IOU = 0.5


@dataclass(frozen=True, slots=True)
class Matched:
    """The detections of one picture, each given to at most one face.

    Attributes:
        faces: how many faces count.
        found: bool ``[M]``, which of them were hit.
        scores: float64 ``[N]`` of the detections that count, hits and false alarms, falling.
        right: bool ``[N]``, whether each of these is a hit.
    """

    faces: int
    found: NDArray[np.bool_]
    scores: NDArray[np.float64]
    right: NDArray[np.bool_]

    @property
    def false(self) -> int:
        """How many detections are false alarms."""
        return int((~self.right).sum())


def match(
    found_xywh: NDArray[np.float64],
    scores: NDArray[np.float64],
    faces_xywh: NDArray[np.float64],
    ignored_xywh: NDArray[np.float64],
) -> Matched:
    """Give every detection to the best free face that it overlaps enough, the surest first.

    Args:
        found_xywh: ``[N, 4]``, left, top, width, height.
        scores: ``[N]``.
        faces_xywh: ``[M, 4]``, the boxes that count.
        ignored_xywh: ``[K, 4]``, regions where a detection that hits nothing counts neither way.
    """
    overlap = iou_matrix(found_xywh, faces_xywh)
    found = np.zeros(len(faces_xywh), bool)
    kept: list[float] = []
    right: list[bool] = []
    for i in np.argsort(-scores, kind="stable"):
        free = np.where(found, 0.0, overlap[i])
        hit = bool(len(free)) and bool(free.max() >= MIN_IOU)
        if hit:
            found[int(np.argmax(free))] = True
        elif _on_ignored(found_xywh[i], ignored_xywh):
            continue
        kept.append(float(scores[i]))
        right.append(hit)
    return Matched(len(found), found, np.array(kept, np.float64), np.array(right, bool))


def _on_ignored(box: NDArray[np.float64], ignored: NDArray[np.float64]) -> bool:
    low = np.maximum(box[:2], ignored[:, :2])
    high = np.minimum(box[:2] + box[2:], ignored[:, :2] + ignored[:, 2:])
    inter = np.clip(high - low, 0, None).prod(1)
    return bool((inter >= 0.5 * box[2:].prod()).any())


def average_precision(pictures: Sequence[Matched]) -> Measure:
    """Return the area under precision over recall, from the surest detection down.

    Precision at a recall is the best at that recall or a higher one (Everingham et al., "The
    PASCAL Visual Object Classes Challenge: A Retrospective", 2015); detections of one score come
    together. What the detector never says, below the lowest score that it was asked for, adds
    nothing. The interval draws pictures with replacement. NaN without faces.
    """
    faces = np.array([p.faces for p in pictures], np.int64)
    scores = np.concatenate([np.zeros(0), *(p.scores for p in pictures)])
    right = np.concatenate([np.zeros(0, bool), *(p.right for p in pictures)])
    owner = np.repeat(np.arange(len(pictures)), [len(p.scores) for p in pictures])
    order = np.argsort(-scores, kind="stable")
    scores, right, owner = scores[order], right[order], owner[order]
    ends = np.flatnonzero(np.append(scores[1:] < scores[:-1], len(scores) > 0))

    def area(times: NDArray[np.int64]) -> float:
        total = float(times @ faces)
        if total == 0:
            return math.nan
        weight = times[owner]
        said, hits = np.cumsum(weight)[ends], np.cumsum(weight * right)[ends]
        precision = np.maximum.accumulate((hits / np.maximum(said, 1))[::-1])[::-1]
        return float((np.diff(hits / total, prepend=0.0) * precision).sum())

    return resampled(len(pictures), area, int(faces.sum()))
