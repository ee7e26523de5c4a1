"""A short sequence made from one picture: the view wanders, a mask is put on half way."""

from __future__ import annotations

import math
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.demo.drawn_mask import draw_mask
from edge.geometry import warp

__all__ = ["FRAMES", "MASK_ON", "RAISING", "film", "portrait"]

#: Frames of the sequence; the mask rises during ``RAISING`` and is on from ``MASK_ON``.
FRAMES = 48
RAISING = range(20, 28)
MASK_ON = RAISING.stop

_SIZE_WH = (480, 360)

_Image = NDArray[np.uint8]


def film(picture: _Image, points_5x2: NDArray[np.float32]) -> Iterator[_Image]:
    """Yield the frames, uint8 ``[360, 480, 3]``, BGR.

    Args:
        picture: uint8 ``[H, W, 3]``, BGR, with one bare face.
        points_5x2: float ``[5, 2]``, that face's points in pixels of ``picture``.
    """
    masked = draw_mask(picture, points_5x2)
    for index in range(FRAMES):
        if index in RAISING:
            drop = 1.0 - (index - RAISING.start) / len(RAISING)
            seen = draw_mask(picture, points_5x2, drop=drop)
        else:
            seen = masked if index >= MASK_ON else picture
        turn = 2 * math.pi * index / FRAMES
        shift = np.array([30 * math.sin(turn), 24 + 15 * math.sin(2 * turn)])
        zoom = 1.1 + 0.25 * (1 - math.cos(turn)) / 2
        yield _view(seen, points_5x2.mean(0) + shift, zoom, _SIZE_WH)


def portrait(picture: _Image, points_5x2: NDArray[np.float32]) -> _Image:
    """Return another picture of the same face to enrol from: nearer, tilted, a little darker."""
    near = _view(picture, points_5x2.mean(0), 1.6, (320, 320), tilt_degrees=6)
    return np.asarray(cv2.convertScaleAbs(near, alpha=0.85, beta=4), np.uint8)


def _view(
    picture: _Image,
    centre_xy: NDArray[np.float64],
    zoom: float,
    size_wh: tuple[int, int],
    *,
    tilt_degrees: float = 0.0,
) -> _Image:
    """Return what a camera aimed at ``centre_xy`` sees; beyond the picture its border goes on."""
    width, height = size_wh
    centre = (float(centre_xy[0]), float(centre_xy[1]))
    matrix = np.asarray(cv2.getRotationMatrix2D(centre, tilt_degrees, zoom), np.float64)
    matrix[:, 2] += np.array([width / 2, height / 2]) - centre
    out = np.empty((height, width, 3), np.uint8)
    warp(picture, matrix, out, replicate=True)
    return out
