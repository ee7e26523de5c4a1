"""AIZOO's face-mask SSD: faces with and without a mask.

Source: github.com/AIZOOTech/FaceMaskDetection, ``tensorflow_infer.py`` (plain resize to 260, x/255,
RGB, threshold 0.5, NMS overlap 0.4 over both classes together, anchor sizes and ratios) and
``utils/anchor_generator.py``, ``utils/anchor_decode.py`` (order of anchors, variances 0.1 and 0.2).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.foreign.boxes import corners_to_xywh, faces, ssd_corners
from benchmarks.foreign.picture import Arrays, Picture, Run, stretched
from edge.frames import Frame
from edge.results import Detection

__all__ = ["PICTURE", "Aizoo", "anchors"]

PICTURE = Picture(260, 260, "RGB", 0.0, 255.0)
THRESHOLD = 0.5
IOU = 0.4
GRIDS = (33, 17, 9, 5, 3)
SIZES = ((0.04, 0.056), (0.08, 0.11), (0.16, 0.22), (0.32, 0.45), (0.64, 0.72))
RATIOS = (0.62, 0.42)


def anchors() -> NDArray[np.float32]:
    """Return the anchors, float32 ``[5972, 4]``: centre and size as shares of the picture.

    Four a cell: the two squares, then the smaller size with each ratio of width to height.
    """
    grids = []
    for cells, sides in zip(GRIDS, SIZES, strict=True):
        y, x = (np.mgrid[:cells, :cells] + 0.5) / cells
        centres = np.stack([x, y], -1).reshape(-1, 1, 2)
        shapes = [(side, side) for side in sides]
        shapes += [(sides[0] * ratio**0.5, sides[0] / ratio**0.5) for ratio in RATIOS]
        centres, sizes = np.broadcast_arrays(centres, np.array(shapes))
        grids.append(np.concatenate([centres, sizes], -1).reshape(-1, 4))
    return np.concatenate(grids).astype(np.float32)


class Aizoo:
    """Find the faces of a frame, and say whether the surest one wears a mask.

    Outputs: offsets to the anchors ``[1, 5972, 4]`` and probabilities ``[1, 5972, 2]`` of mask
    and no mask, in this order.

    Args:
        run: of the network.
        threshold: of the greater probability.
    """

    def __init__(self, run: Run, *, threshold: float = THRESHOLD) -> None:
        self._run, self._threshold, self._anchors = run, threshold, anchors()

    def prepare(self, frame: Frame) -> Arrays:
        """Return the network's input for a frame: the whole of it, squeezed."""
        return (PICTURE.real(stretched(frame.image, PICTURE.size_hw)),)

    def __call__(self, frame: Frame) -> list[Detection]:
        """Return the faces in frame pixels, the surest first; masked or not is one kind."""
        offsets, scores = (output[0] for output in self._run(self.prepare(frame)))
        boxes = corners_to_xywh(ssd_corners(offsets, self._anchors), frame.image)
        return faces(boxes, scores.max(1), threshold=self._threshold, iou=IOU)

    def wears_mask(self, frame: Frame) -> bool:
        """Say whether the surest anchor of a frame, whatever its score, is one with a mask."""
        _, scores = self._run(self.prepare(frame))
        masked, bare = scores[0].max(0)
        return bool(masked > bare)
