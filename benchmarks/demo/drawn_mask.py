"""Draw a surgical mask on a face: cloth with pleats, a nose wire, ear loops, the picture's light.

The mask is drawn once, upright, in the 112-pixel ArcFace crop at four times its size, and laid
over the face by the similarity that takes the template's five points to the face's.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.geometry import ARCFACE_112, similarity_matrix

__all__ = ["draw_mask"]

_Image = NDArray[np.uint8]
_Points = list[tuple[float, float]]

#: Canvas pixels a pixel of the 112-pixel template, and the template pixels around it.
_ZOOM, _MARGIN = 4, 24
_SIDE = (112 + 2 * _MARGIN) * _ZOOM
_CLOTH_BGR = (205, 186, 158)

# Outlines in template pixels (eyes at y = 52, nose tip at 72, mouth at 92), right half mirrored
# about x = 56.
_TOP: _Points = [(12, 71), (23, 68), (38, 63), (50, 59), (56, 58)]
_BOTTOM: _Points = [(16, 92), (24, 106), (36, 116), (48, 120), (56, 121)]
_LOOPS: list[_Points] = [[(13, 72), (7, 67)], [(19, 98), (12, 85), (7, 67)]]
_PLEATS_Y = (77, 87, 97)
_MIDDLE_X = 56.0


def draw_mask(image: _Image, points_5x2: NDArray[np.float32], *, drop: float = 0.0) -> _Image:
    """Return a copy of the picture with a mask on one face.

    Args:
        image: uint8 ``[H, W, 3]``, BGR. Read only.
        points_5x2: float ``[5, 2]``, the face's points in pixels of ``image``.
        drop: how far the mask hangs too low, in faces: 0 is right, 0.2 leaves the nose free.

    Raises:
        DataError: the points lie in one place.
    """
    colour, alpha = _canvas()
    layers = np.dstack([colour, alpha])
    template = (ARCFACE_112 + _MARGIN) * _ZOOM
    template[:, 1] -= drop * 112 * _ZOOM
    matrix = similarity_matrix(template, points_5x2)
    # Averaged down before the warp, since the canvas is larger than most faces.
    zoom = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    side = int(np.clip(_SIDE * zoom, 8, _SIDE))
    small = cv2.resize(layers, (side, side), interpolation=cv2.INTER_AREA)
    matrix[:, :2] *= _SIDE / side
    laid = cv2.warpAffine(small, matrix, (image.shape[1], image.shape[0]))
    cover = laid[..., 3:]
    mixed = image * (1 - cover) + laid[..., :3] * cover * _light(image, points_5x2)
    return np.clip(mixed + 0.5, 0, 255).astype(np.uint8)


def _light(image: _Image, points_5x2: NDArray[np.float32]) -> float:
    """Return how bright the face is between eyes and mouth against one in good light."""
    left, top = np.maximum(points_5x2.min(0), 0).astype(int)
    right, bottom = np.maximum(points_5x2.max(0), 0).astype(int) + 1
    skin = image[top:bottom, left:right]
    return float(np.clip(np.median(skin) / 160, 0.35, 1.05)) if skin.size else 1.0


def _canvas() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the cloth, float32 ``[S, S, 3]`` BGR 0..255, and its cover, ``[S, S]`` 0..1."""
    alpha = np.zeros((_SIDE, _SIDE), np.float32)
    colour = np.empty((_SIDE, _SIDE, 3), np.float32)
    colour[:] = _CLOTH_BGR
    outline = _mirrored(_TOP) + _mirrored(_BOTTOM)[::-1]
    for loop in _LOOPS:
        for side in (loop, _mirror(loop)):
            cv2.polylines(alpha, [_pixels(side)], False, 1.0, 5, cv2.LINE_AA)
    cv2.fillPoly(alpha, [_pixels(outline)], 1.0, cv2.LINE_AA)
    return np.asarray(colour * _shade(outline)[..., None], np.float32), alpha


def _shade(outline: _Points) -> NDArray[np.float32]:
    """Return the cloth's brightness: round across the face, pleats, seam, nose wire."""
    x = (np.arange(_SIDE, dtype=np.float32) / _ZOOM - _MARGIN - _MIDDLE_X) / 48
    across = 1.08 - 0.34 * np.clip(x * x, 0, 1.2)
    shade = np.repeat(across[None], _SIDE, axis=0)
    folds = np.zeros_like(shade)
    for y in _PLEATS_Y:
        # A pleat sags towards the middle: its shadow below, the lit edge above.
        bow = [(float(px), y + 3.5 - 0.002 * (px - _MIDDLE_X) ** 2) for px in range(12, 101, 4)]
        cv2.polylines(folds, [_pixels(bow)], False, -0.17, 5, cv2.LINE_AA)
        lit = [(px, py - 1.6) for px, py in bow]
        cv2.polylines(folds, [_pixels(lit)], False, 0.09, 4, cv2.LINE_AA)
    wire = [(px, py + 3.0) for px, py in _mirrored(_TOP)]
    cv2.polylines(folds, [_pixels(wire)], False, -0.10, 4, cv2.LINE_AA)
    cv2.polylines(folds, [_pixels(outline)], True, -0.16, 5, cv2.LINE_AA)
    softened = cv2.GaussianBlur(folds, (0, 0), 2.2)
    return np.asarray(shade + softened, np.float32)


def _mirror(points: _Points) -> _Points:
    return [(2 * _MIDDLE_X - x, y) for x, y in points]


def _mirrored(left: _Points) -> _Points:
    """Return the left half, which ends in the middle, and its mirror image after it."""
    return left + _mirror(left)[-2::-1]


def _pixels(points: _Points) -> NDArray[np.int32]:
    return np.asarray(np.rint((np.array(points) + _MARGIN) * _ZOOM), np.int32)
