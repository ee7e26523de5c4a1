"""From many overlapping boxes to the faces of a frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.geometry import ARCFACE_112, non_max_suppression
from edge.results import Detection

__all__ = ["corners_to_xywh", "faces", "inside", "ssd_corners"]

#: Boxes that are looked at, the surest first: a bound, since all are compared with all.
_MAX_CANDIDATES = 1000


def corners_to_xywh(corners: NDArray[np.float32], image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Turn ``[N, 4]`` left, top, right, bottom, shares of a picture, into boxes of its pixels."""
    sides = np.array(image.shape[1::-1], np.float32)
    low, high = corners[:, :2] * sides, corners[:, 2:] * sides
    return np.hstack([low, high - low])


def ssd_corners(offsets: NDArray[np.float32], priors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Decode an SSD's offsets with the variances 0.1 and 0.2 (Liu et al., "SSD", 2016).

    Args:
        offsets: float32 ``[N, 4]`` as the network gives them.
        priors: float32 ``[N, 4]``: centre and size.

    Returns:
        float32 ``[N, 4]``, left, top, right, bottom in the priors' unit.
    """
    centre = offsets[:, :2] * np.float32(0.1) * priors[:, 2:] + priors[:, :2]
    size = np.exp(offsets[:, 2:] * np.float32(0.2)) * priors[:, 2:]
    return np.hstack([centre - size / 2, centre + size / 2])


def faces(
    boxes_xywh: NDArray[np.float32],
    scores: NDArray[np.float32],
    *,
    threshold: float,
    iou: float,
    points: NDArray[np.float32] | None = None,
) -> list[Detection]:
    """Keep the sure boxes and the best of each heap of them.

    Args:
        boxes_xywh: float32 ``[N, 4]`` in frame pixels.
        scores: float32 ``[N]``, 0..1.
        threshold: a box with a lower score is no face.
        iou: a box that overlaps a better one by more goes.
        points: float32 ``[N, 5, 2]`` in frame pixels; without them a face has its points where an
            upright one of its box would.

    Returns:
        The surest first.
    """
    real = np.isfinite(boxes_xywh).all(1) & (boxes_xywh[:, 2:] > 0).all(1)
    sure = np.flatnonzero(real & (scores >= threshold))
    boxes = boxes_xywh[sure]
    kept = non_max_suppression(
        boxes.tolist(), scores[sure].tolist(), iou=iou, limit=_MAX_CANDIDATES
    )
    return [
        Detection(
            boxes[i].copy(),
            float(scores[sure[i]]),
            inside(boxes[i]) if points is None else points[sure[i]].copy(),
        )
        for i in kept
    ]


def inside(box_xywh: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return where the five points of an upright face in this box would be, float32 ``[5, 2]``."""
    return np.asarray(ARCFACE_112 / 112 * box_xywh[2:] + box_xywh[:2], np.float32)
