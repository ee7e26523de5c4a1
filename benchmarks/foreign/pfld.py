"""PFLD: 68 points of a face, in the order of iBUG.

Source: Guo et al., "PFLD: A Practical Facial Landmark Detector" (2019);
github.com/cunjian/pytorch_face_landmark, ``test_camera_pfld_onnx.py``: a square of 1.1 times the
longer side of the face box, black beyond the frame, 112x112 RGB, x/255; 136 numbers, x and y in
turn, as shares of the crop.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.foreign.picture import Arrays, Picture, Run
from edge.frames import Frame
from edge.geometry import box_matrix, warp
from edge.results import Detection

__all__ = ["PICTURE", "Pfld"]

PICTURE = Picture(112, 112, "RGB", 0.0, 255.0)
SCALE = 1.1


class Pfld:
    """Find the 68 points of a face.

    Args:
        run: of the network.
    """

    def __init__(self, run: Run) -> None:
        self._run = run

    def prepare(self, frame: Frame, detection: Detection) -> Arrays:
        """Return the network's input for a face."""
        pixels = np.empty((*PICTURE.size_hw, 3), np.uint8)
        warp(frame.image, box_matrix(detection.box_xywh, PICTURE.width, scale=SCALE), pixels)
        return (PICTURE.real(pixels),)

    def __call__(self, frame: Frame, detection: Detection) -> NDArray[np.float32]:
        """Return the points, float32 ``[68, 2]``, ``(x, y)`` in pixels of the frame."""
        (shares,) = self._run(self.prepare(frame, detection))
        x, y, width, height = detection.box_xywh
        side = max(width, height) * np.float32(SCALE)
        corner = np.array([x + (width - side) / 2, y + (height - side) / 2], np.float32)
        return np.asarray(shares.reshape(68, 2) * side + corner, np.float32)
