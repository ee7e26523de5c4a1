"""A face that every machine has, and whose place is known: to warm networks up with."""

from __future__ import annotations

import time

import numpy as np

from edge.frames import Frame
from edge.results import Detection
from edge.sources.cartoon import POINTS_5X2, draw_bust

__all__ = ["draw_face"]


def draw_face() -> tuple[Frame, Detection]:
    """Return a picture of a drawn person with a mask, and where its face is."""
    image, _ = draw_bust(np.random.default_rng(0), masked=True)
    points = POINTS_5X2.astype(np.float32)
    (left, top), (right, bottom) = points.min(0), points.max(0)
    # A face is about twice as wide and two and a half times as high as its five points reach.
    width, height = 2 * (right - left), 2.4 * (bottom - top)
    box = np.array([(left + right - width) / 2, top - height / 3, width, height], np.float32)
    return Frame(image, 0, time.monotonic_ns(), "drawn"), Detection(box, 1.0, points)
