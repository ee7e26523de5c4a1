"""YuNet: boxes and five points of faces, one cell a place in three grids.

Source: Wu, Peng, Yu, "YuNet: A Tiny Millisecond-level Face Detector" (2023);
github.com/ShiqiYu/libfacedetection.train, files ``onnx/yunet_*.onnx``. Decoding, the score and its
clamps, the padding to multiples of 32, the NMS overlap of 0.3: OpenCV's ``FaceDetectorYN``
(modules/objdetect/src/face_detect.cpp).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.foreign.boxes import faces
from benchmarks.foreign.picture import Arrays, Picture, Run, fitted
from edge.frames import Frame
from edge.geometry import warp
from edge.results import Detection

__all__ = ["YuNet", "picture"]

STRIDES = (8, 16, 32)
#: The threshold of the pack's reference figures; OpenCV's own default is 0.9.
THRESHOLD = 0.6
IOU = 0.3
#: exp() of more is larger than any picture.
_MAX_LOG = 6.0


def picture(height: int, width: int) -> Picture:
    """Return the input of a file of this size: raw BGR bytes as real numbers."""
    return Picture(height, width, "BGR", 0.0, 1.0)


class YuNet:
    """Find the faces of a frame.

    The outputs are, in the file's order, ``cls``, ``obj``, ``bbox`` and ``kps`` of strides 8, 16
    and 32, each ``[1, N, 1 | 1 | 4 | 10]``, cells row by row. A score is ``sqrt(cls * obj)``; box
    centre ``(cell + (dx, dy)) * s``, size ``exp((log w, log h)) * s``, point ``(cell + p) * s``
    with ``cell = (col, row)``.

    Args:
        run: of the network.
        size_hw: the file's height and width; None for one that takes every multiple of 32.
        enlarge: a frame smaller than ``size_hw`` grows to it.
        threshold: of the score.
        border: black beside the frame, as a share of its sides, so that a face which fills a tight
            crop is found too.
    """

    def __init__(
        self,
        run: Run,
        size_hw: tuple[int, int] | None,
        *,
        enlarge: bool = True,
        threshold: float = THRESHOLD,
        border: float = 0.0,
    ) -> None:
        self._run, self._size, self._enlarge = run, size_hw, enlarge
        self._threshold, self._border = threshold, border

    def prepare(self, frame: Frame) -> Arrays:
        """Return the network's input for a frame."""
        return self._prepared(frame)[0]

    def __call__(self, frame: Frame) -> list[Detection]:
        """Return the faces in frame pixels, the surest first."""
        inputs, zoom, offset = self._prepared(frame)
        rows = self._rows(self._run(inputs), inputs[0].shape[1:3])
        boxes = rows[:, 1:5] / np.float32(zoom)
        boxes[:, :2] -= offset
        points = rows[:, 5:].reshape(-1, 5, 2) / np.float32(zoom) - offset
        return faces(boxes, rows[:, 0], threshold=self._threshold, iou=IOU, points=points)

    def _prepared(self, frame: Frame) -> tuple[Arrays, float, NDArray[np.float32]]:
        """Return the input, its zoom, and how far the frame lies from its upper left corner."""
        image = frame.image
        margin = (np.array(image.shape[1::-1]) * self._border).round().astype(int)
        if margin.any():
            width, height = np.array(image.shape[1::-1]) + 2 * margin
            widened = np.empty((height, width, 3), np.uint8)
            warp(image, np.array([[1.0, 0, margin[0]], [0, 1.0, margin[1]]]), widened)
            image = widened
        if self._size is None:
            size = (-(-image.shape[0] // 32) * 32, -(-image.shape[1] // 32) * 32)
            pixels, zoom = fitted(image, size, enlarge=False)
        else:
            size = self._size
            pixels, zoom = fitted(image, size, enlarge=self._enlarge)
        return (picture(*size).real(pixels),), zoom, margin.astype(np.float32)

    @staticmethod
    def _rows(outputs: Arrays, size_hw: tuple[int, ...]) -> NDArray[np.float32]:
        """Return ``[cells, 15]``: score, box xywh and points in input pixels."""
        grids = []
        for i, stride in enumerate(STRIDES):
            cls, obj, box, points = (outputs[i + 3 * part][0] for part in range(4))
            y, x = np.mgrid[: size_hw[0] // stride, : size_hw[1] // stride]
            cells = np.stack([x, y], -1).reshape(-1, 2).astype(np.float32)
            score = np.sqrt(np.clip(cls, 0, 1) * np.clip(obj, 0, 1))
            size = np.exp(np.minimum(box[:, 2:], _MAX_LOG))
            corner = cells + box[:, :2] - size / 2
            marks = (cells[:, None] + points.reshape(-1, 5, 2)).reshape(-1, 10)
            grids.append(np.hstack([score, np.hstack([corner, size, marks]) * np.float32(stride)]))
        return np.concatenate(grids)
