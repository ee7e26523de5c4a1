"""How well a face is seen: large enough, turned to the camera, its points where they belong."""

from __future__ import annotations

import numpy as np

from edge.errors import DataError
from edge.geometry import ARCFACE_112, similarity_matrix, transform_points
from edge.results import Detection

__all__ = ["view_quality"]

#: No network of a face reads more pixels across it, so that a larger one is seen no better.
_ENOUGH_PX = 128.0
#: Misfit, in pixels of the 112-pixel crop, at which a view is worth half. A face that looks into
#: the camera misfits by 2 to 3, one turned by 45 degrees by about 8.
_HALF_PX = 4.0


def view_quality(face: Detection) -> float:
    """Return 0..1, greater for a face that is larger, more frontal or more sharply located.

    Size, times how well the five points fit those of an upright frontal face: the root mean
    square of what is left after the best similarity (Umeyama 1991). Turning the head shortens
    distances across the face only, which no similarity makes good, and so do points gone astray.

    Args:
        face: its box and points in frame pixels.
    """
    try:
        fitted = transform_points(similarity_matrix(face.points_5x2, ARCFACE_112), face.points_5x2)
    except DataError:
        return 0.0
    misfit = float(np.sqrt(((fitted - ARCFACE_112) ** 2).sum(1).mean()))
    side = float(np.sqrt(max(float(face.box_xywh[2] * face.box_xywh[3]), 0.0)))
    return min(side, _ENOUGH_PX) / _ENOUGH_PX / (1 + misfit / _HALF_PX)
