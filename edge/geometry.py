"""Where a network's input lies in a frame, and the one warp that fetches it.

Every crop is an affine matrix from frame pixels to crop pixels. Pixel centres are at integer
coordinates, as in OpenCV.
"""

from __future__ import annotations

import math

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


def crop_template(size_px: int, *, scale: float = 1.0, shift_y: float = 0.0) -> _Matrix:
    """Return the five points of an upright face in a crop of another size.

    Args:
        size_px: side of the square crop.
        scale: size of the face in the crop against ``ARCFACE_112``; below 1 shows more around it.
        shift_y: how far the face moves down, as a share of the side.

    Returns:
        float64 ``[5, 2]``, ``(x, y)`` in crop pixels.
    """
    centre = (112 - 1) / 2
    points = (ARCFACE_112 - centre) * (scale * size_px / 112) + (size_px - 1) / 2
    points[:, 1] += shift_y * size_px
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
    # As complex numbers a rotation with a scale is one factor.
    src, dst = _complex(points), _complex(template)
    src_mean, dst_mean = src.mean(), dst.mean()
    centred = src - src_mean
    variance = np.vdot(centred, centred).real
    if not math.isfinite(variance) or variance < 1e-6:
        raise DataError("the face's points lie in one place, so no upright face fits them",
                        code="geometry.points")  # fmt: skip
    turn = np.vdot(centred, dst - dst_mean) / variance
    shift = dst_mean - turn * src_mean
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def _complex(points: ArrayLike) -> NDArray[np.complex128]:
    """Return ``[N, 2]`` points as complex numbers ``[N]``."""
    pairs = np.ascontiguousarray(points, np.float64)
    return pairs.view(np.complex128)[:, 0]


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
    x, y, w, h = (float(v) for v in np.asarray(box_xywh, np.float64))
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
    shrinks the whole picture onto whole pixels takes OpenCV's resize, which samples at the same
    places and is four times as fast.

    Args:
        image: uint8 ``[H, W, C]`` or ``[H, W]``. Read only.
        matrix: float64 ``[2, 3]``, from image pixels to pixels of ``out``.
        out: uint8 ``[h, w, C]`` or ``[h, w]``, contiguous; overwritten.
        replicate: beyond the image repeat its border instead of showing black.
    """
    zoom = math.sqrt(abs(matrix[0, 0] * matrix[1, 1] - matrix[0, 1] * matrix[1, 0]))
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
    zoom = float(matrix[0, 0])
    height, width = (round(side * zoom) for side in image.shape[:2])
    whole = np.array(image.shape[:2]) * zoom
    # Enlarging would sample beyond the border, which a resize repeats and a warp shows black.
    if not (
        0 < zoom <= 1
        and 0 < height <= out.shape[0]
        and 0 < width <= out.shape[1]
        and np.abs(whole - (height, width)).max() < 1e-6
        and np.abs(matrix - _at_the_corner(zoom)).max() < 1e-9
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
    boxes_xywh: NDArray[np.float32], scores: NDArray[np.float32], *, iou: float, limit: int
) -> NDArray[np.intp]:
    """Keep the best of each heap of overlapping boxes.

    Args:
        boxes_xywh: float32 ``[N, 4]``.
        scores: float32 ``[N]``.
        iou: boxes that overlap a better one by more than this go.
        limit: at most so many boxes are looked at, the best first: a bound on hostile input.

    Returns:
        Indices of the kept boxes, best first.
    """
    order = np.argsort(-scores, kind="stable")[:limit]
    overlap = iou_matrix(boxes_xywh[order], boxes_xywh[order])
    alive = np.ones(len(order), bool)
    for i in range(len(order)):
        if alive[i]:
            alive[i + 1 :] &= overlap[i, i + 1 :] <= iou
    return order[alive]
