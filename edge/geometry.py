"""Where a network's input lies in a frame, and the one warp that fetches it.

Every crop is an affine matrix from frame pixels to crop pixels. Pixel centres are at integer
coordinates, as in OpenCV.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from edge.errors import DataError

__all__ = [
    "ARCFACE_112",
    "box_matrix",
    "crop_template",
    "from_smaller",
    "iou_matrix",
    "letterbox_matrix",
    "non_max_suppression",
    "similarity_matrix",
    "transform_points",
    "warp",
]

#: Five points of the 112x112 crop that most public face embeddings use (insightface,
#: ``arcface_dst``): eye, eye, nose tip, mouth corner, mouth corner.
ARCFACE_112 = np.array(
    [
        [38.2946, 51.6963],
        [73.5318, 51.5014],
        [56.0252, 71.7366],
        [41.5493, 92.3655],
        [70.7299, 92.2041],
    ],
    dtype=np.float64,
)
ARCFACE_112.setflags(write=False)

_Matrix = NDArray[np.float64]


@functools.lru_cache(maxsize=32)
def crop_template(size_px: int, *, scale: float = 1.0, shift_y: float = 0.0) -> _Matrix:
    """Return the five points of an upright face in a crop of another size.

    Args:
        size_px: side of the square crop.
        scale: size of the face in the crop against ``ARCFACE_112``; below 1 shows more around it.
        shift_y: how far the face moves down, as a share of the side.

    Returns:
        float64 ``[5, 2]``, ``(x, y)`` in crop pixels; read only, for the next to ask has the same.
    """
    centre = (112 - 1) / 2
    points = (ARCFACE_112 - centre) * (scale * size_px / 112) + (size_px - 1) / 2
    points[:, 1] += shift_y * size_px
    points.setflags(write=False)
    return points


def similarity_matrix(points: ArrayLike, template: ArrayLike) -> _Matrix:
    """Fit rotation, one scale and a shift from ``points`` to ``template`` by least squares.

    The closed form of Umeyama (1991) in two dimensions, without reflection.

    Args:
        points: ``[N, 2]`` in frame pixels.
        template: ``[N, 2]`` in crop pixels.

    Returns:
        float64 ``[2, 3]``.

    Raises:
        DataError: the points are not finite or all lie in one place.
    """
    # As complex numbers a rotation with a scale is one factor. Python's own: for five points each
    # call into NumPy would cost more than all of this, and the sums are in one order everywhere.
    src, dst = _complex(points), _complex(template)
    src_mean, dst_mean = sum(src) / len(src), sum(dst) / len(dst)
    variance, product = 0.0, 0j
    for a, b in zip(src, dst, strict=True):
        centred = a - src_mean
        variance += (centred * centred.conjugate()).real
        product += centred.conjugate() * (b - dst_mean)
    if not math.isfinite(variance) or variance < 1e-6:
        raise DataError("the face's points lie in one place, so no upright face fits them",
                        code="geometry.points")  # fmt: skip
    turn = product / variance
    shift = dst_mean - turn * src_mean
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def _complex(points: ArrayLike) -> list[complex]:
    """Return ``[N, 2]`` points as complex numbers."""
    return [complex(x, y) for x, y in np.asarray(points, np.float64).tolist()]


def box_matrix(box_xywh: ArrayLike, size_px: int, *, scale: float) -> _Matrix:
    """Return the matrix of an upright square around a box, ``scale`` times its longer side.

    Args:
        box_xywh: ``[4]`` left, top, width, height in frame pixels.
        size_px: side of the crop.
        scale: side of the square against the longer side of the box.

    Returns:
        float64 ``[2, 3]``.

    Raises:
        DataError: the box is not finite or has no extent.
    """
    x, y, w, h = np.asarray(box_xywh, np.float64).tolist()
    side = max(w, h) * scale
    if not all(map(math.isfinite, (x, y, side))) or side < 1e-3:
        raise DataError(f"box {[x, y, w, h]} has no extent", code="geometry.box")
    zoom = size_px / side
    left, top = x + w / 2 - side / 2, y + h / 2 - side / 2
    # Pixel centres: crop pixel i covers frame [left + i / zoom, left + (i + 1) / zoom).
    offset = (zoom - 1) / 2
    return np.array([[zoom, 0.0, -left * zoom + offset], [0.0, zoom, -top * zoom + offset]])


def letterbox_matrix(height: int, width: int, out_height: int, out_width: int) -> _Matrix:
    """Return the matrix that fits a whole frame into a network's input, at its upper left.

    Args:
        height, width: of the frame in pixels.
        out_height, out_width: of the input in pixels.

    Returns:
        float64 ``[2, 3]``; one scale for both axes.
    """
    return _at_the_corner(min(out_height / height, out_width / width))


def from_smaller(matrix: _Matrix, frame_hw: tuple[int, ...], small_hw: tuple[int, ...]) -> _Matrix:
    """Return the matrix that does from a smaller picture of the same view what one does from it.

    Args:
        matrix: float64 ``[2, 3]``, from frame pixels.
        frame_hw, small_hw: height and width of the two pictures.

    Returns:
        float64 ``[2, 3]``, from pixels of the smaller picture.
    """
    zoom = np.array([frame_hw[1] / small_hw[1], frame_hw[0] / small_hw[0]])
    # The outer corners of both pictures lie in one place; pixel centres do not.
    shift = matrix[:, 2] + matrix[:, :2] @ ((zoom - 1) / 2)
    return np.column_stack([matrix[:, :2] * zoom, shift])


def _at_the_corner(zoom: float) -> _Matrix:
    """Return the matrix of one scale that keeps the outer corner of the first pixel in place."""
    offset = (zoom - 1) / 2
    return np.array([[zoom, 0.0, offset], [0.0, zoom, offset]])


def warp(
    image: NDArray[np.uint8],
    matrix: _Matrix,
    out: NDArray[np.uint8],
    *,
    replicate: bool = False,
) -> None:
    """Fill ``out`` with the part of ``image`` that ``matrix`` points at.

    Bilinear. Where the crop shrinks the picture more than twofold, the part is first averaged
    down by a whole factor, so that a 12,000-pixel picture does not alias. A matrix that only
    shrinks the whole picture onto whole pixels takes OpenCV's resize: the same, four times as fast.

    Args:
        image: uint8 ``[H, W, C]`` or ``[H, W]``. Read only.
        matrix: float64 ``[2, 3]``, from image pixels to pixels of ``out``.
        out: uint8 ``[h, w, C]`` or ``[h, w]``, contiguous; overwritten.
        replicate: beyond the image repeat its border instead of showing black.
    """
    (a, b, _), (c, d, _) = matrix.tolist()
    zoom = math.sqrt(abs(a * d - b * c))
    factor = int(0.5 / max(zoom, 1e-6)) if zoom < 0.5 else 1
    if factor > 1:
        image, matrix = _shrink(image, matrix, out.shape[:2], factor)
    if not replicate and _resized(image, matrix, out):
        return
    border = cv2.BORDER_REPLICATE if replicate else cv2.BORDER_CONSTANT
    size = (out.shape[1], out.shape[0])
    result = cv2.warpAffine(image, matrix, size, dst=out, flags=cv2.INTER_LINEAR, borderMode=border)
    if result is not out:
        np.copyto(out, result.reshape(out.shape))


def _resized(image: NDArray[np.uint8], matrix: _Matrix, out: NDArray[np.uint8]) -> bool:
    """Fill ``out`` by a plain resize if the matrix is one; return whether it was."""
    (zoom, b, x), (c, d, y) = matrix.tolist()
    offset = (zoom - 1) / 2
    # Enlarging would sample beyond the border, which a resize repeats and a warp shows black.
    away = abs(b) + abs(c) + abs(d - zoom) + abs(x - offset) + abs(y - offset)
    if not (0 < zoom <= 1 and away < 1e-9):
        return False
    exact_height, exact_width = image.shape[0] * zoom, image.shape[1] * zoom
    height, width = round(exact_height), round(exact_width)
    if (
        max(abs(exact_height - height), abs(exact_width - width)) > 1e-6
        or not 0 < height <= out.shape[0]
        or not 0 < width <= out.shape[1]
    ):
        return False
    out[height:] = 0
    out[:height, width:] = 0
    part = out[:height, :width]
    result = cv2.resize(image, (width, height), dst=part, interpolation=cv2.INTER_LINEAR)
    if result is not part:
        np.copyto(part, result.reshape(part.shape))
    return True


def _shrink(
    image: NDArray[np.uint8], matrix: _Matrix, out_shape: tuple[int, ...], factor: int
) -> tuple[NDArray[np.uint8], _Matrix]:
    """Average the needed part of the image down by ``factor`` and adjust the matrix."""
    height, width = out_shape
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]], np.float64)
    inverse = cv2.invertAffineTransform(matrix)
    # A matrix that points far away must not overflow the whole numbers below.
    quad = np.clip(transform_points(inverse, corners), -1e9, 1e9)
    margin = 2 * factor
    low = np.maximum(np.floor(quad.min(0)).astype(int) - margin, 0)
    high = np.minimum(np.ceil(quad.max(0)).astype(int) + margin, (image.shape[1], image.shape[0]))
    if (high - low < factor).any():
        return image, matrix
    x, y = low
    w, h = ((high - low) // factor) * factor
    part = cv2.resize(
        image[y : y + h, x : x + w], (w // factor, h // factor), interpolation=cv2.INTER_AREA
    )
    adjusted = matrix.copy()
    centre = (factor - 1) / 2
    adjusted[:, 2] += matrix[:, :2] @ np.array([x + centre, y + centre])
    adjusted[:, :2] *= factor
    return part.astype(np.uint8, copy=False), adjusted


def transform_points(matrix: ArrayLike, points: ArrayLike) -> NDArray[np.float64]:
    """Apply a ``[2, 3]`` matrix to ``[..., 2]`` points."""
    m = np.asarray(matrix, np.float64)
    return np.asarray(np.asarray(points, np.float64) @ m[:, :2].T + m[:, 2])


def iou_matrix(a_xywh: ArrayLike, b_xywh: ArrayLike) -> NDArray[np.float64]:
    """Return intersection over union of every box of ``a`` ``[N, 4]`` with ``b`` ``[M, 4]``."""
    a = np.asarray(a_xywh, np.float64).reshape(-1, 4)[:, None]
    b = np.asarray(b_xywh, np.float64).reshape(-1, 4)[None]
    low = np.maximum(a[..., :2], b[..., :2])
    high = np.minimum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:])
    overlap = np.maximum(high - low, 0)
    inter = overlap[..., 0] * overlap[..., 1]
    union = a[..., 2] * a[..., 3] + b[..., 2] * b[..., 3] - inter
    return np.asarray(inter / np.maximum(union, 1e-12))


def non_max_suppression(
    boxes_xywh: Sequence[Sequence[float]], scores: Sequence[float], *, iou: float, limit: int
) -> list[int]:
    """Keep the best of each heap of overlapping boxes.

    In Python's own numbers: of a face there are a handful of boxes, and for so few each call into
    NumPy costs more than its arithmetic.

    Args:
        boxes_xywh: left, top, width, height of each.
        scores: of each.
        iou: boxes that overlap a better one by more than this go.
        limit: at most so many boxes are looked at, the best first: a bound on hostile input.

    Returns:
        Indices of the kept boxes, best first.
    """
    kept: list[int] = []
    for i in sorted(range(len(scores)), key=scores.__getitem__, reverse=True)[:limit]:
        if all(_overlap(boxes_xywh[i], boxes_xywh[better]) <= iou for better in kept):
            kept.append(i)
    return kept


def _overlap(a: Sequence[float], b: Sequence[float]) -> float:
    """Return of one pair what ``iou_matrix`` does."""
    (ax, ay, aw, ah), (bx, by, bw, bh) = a, b
    if ax >= bx + bw or bx >= ax + aw or ay >= by + bh or by >= ay + ah:
        return 0.0
    width, height = min(ax + aw, bx + bw) - max(ax, bx), min(ay + ah, by + bh) - max(ay, by)
    inter = width * height
    return inter / max(aw * ah + bw * bh - inter, 1e-12)
