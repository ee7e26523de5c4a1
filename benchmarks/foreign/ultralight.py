"""Ultra-Light-Fast-Generic-Face-Detector-1MB: an SSD with priors in four grids.

Source: github.com/Linzaer/Ultra-Light-Fast-Generic-Face-Detector-1MB. Input, mean 127 and std 128,
variances 0.1 and 0.2, least boxes and priors: ``vision/ssd/config/fd_config.py`` and
``vision/utils/box_utils.py``; plain resize to the input: ``run_video_face_detect_onnx.py``; an NMS
overlap of 0.3: cunjian/pytorch_face_landmark, which drives the same file. The masked-face network
is used at a score of 0.3: ``masked_face/detect_imgs.py``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.foreign.boxes import corners_to_xywh, faces, ssd_corners
from benchmarks.foreign.picture import Arrays, Picture, Run, stretched
from edge.frames import Frame
from edge.results import Detection

__all__ = ["UltraLight", "picture", "priors"]

#: The threshold of the pack's reference figures.
THRESHOLD = 0.6
THRESHOLD_MASKED = 0.3
IOU = 0.3
STRIDES = (8, 16, 32, 64)
LEAST_BOXES = ((10, 16, 24), (32, 48), (64, 96), (128, 192, 256))


def picture(height: int, width: int) -> Picture:
    """Return the input of a file of this size."""
    return Picture(height, width, "RGB", 127.0, 128.0)


def priors(height: int, width: int) -> NDArray[np.float32]:
    """Return the priors, float32 ``[N, 4]``: centre and size as shares of the picture."""
    grids = []
    for stride, least in zip(STRIDES, LEAST_BOXES, strict=True):
        rows, columns = -(-height // stride), -(-width // stride)
        y, x = np.mgrid[:rows, :columns]
        centres = np.stack([(x + 0.5) / columns, (y + 0.5) / rows], -1).reshape(-1, 1, 2)
        sizes = np.array([[side / width, side / height] for side in least])
        centres, sizes = np.broadcast_arrays(centres, sizes)
        grids.append(np.concatenate([centres, sizes], -1).reshape(-1, 4))
    return np.asarray(np.clip(np.concatenate(grids), 0, 1), np.float32)


class UltraLight:
    """Find the faces of a frame; the network has no points.

    Of the two outputs the one with four numbers a prior is the boxes: ``left, top, right, bottom``
    as shares of the picture where the file decodes them, else offsets to the priors. The other
    holds probabilities: background, face and, in the masked-face network, masked face.

    Args:
        run: of the network.
        size_hw: the file's height and width.
        decoded: the file decodes its boxes.
        threshold: of the probability of a face.
    """

    def __init__(
        self, run: Run, size_hw: tuple[int, int], *, decoded: bool, threshold: float = THRESHOLD
    ) -> None:
        self._run, self._picture, self._threshold = run, picture(*size_hw), threshold
        self._priors = None if decoded else priors(*size_hw)

    def prepare(self, frame: Frame) -> Arrays:
        """Return the network's input for a frame: the whole of it, squeezed."""
        return (self._picture.real(stretched(frame.image, self._picture.size_hw)),)

    def __call__(self, frame: Frame) -> list[Detection]:
        """Return the faces in frame pixels, the surest first; masked or not is one kind."""
        scores, boxes = self._outputs(frame)
        corners = boxes if self._priors is None else ssd_corners(boxes, self._priors)
        xywh = corners_to_xywh(corners, frame.image)
        return faces(xywh, scores[:, 1:].max(1), threshold=self._threshold, iou=IOU)

    def wears_mask(self, frame: Frame) -> bool:
        """Say whether the surest face of a frame is a masked one; for the masked-face network."""
        scores, _ = self._outputs(frame)
        return bool(scores[:, 2].max() > scores[:, 1].max())

    def _outputs(self, frame: Frame) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        first, second = (output[0] for output in self._run(self.prepare(frame)))
        return (second, first) if first.shape[-1] == 4 else (first, second)
