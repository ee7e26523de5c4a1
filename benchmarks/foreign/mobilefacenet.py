"""MobileFaceNet: a face as a direction in 128 dimensions.

Source: Chen et al., "MobileFaceNets" (2018). The float network: github.com/foamliu/MobileFaceNet,
112x112 RGB. The INT8 one: github.com/zye1996/Mobilefacenet-TF2-coral_tpu, 112 high and 96 wide,
``(x - 127.5) / 128``, the template 8 pixels to the left. Both align five points to insightface's
``arcface_dst``.

The float network was trained with a mean and a deviation of ImageNet for each channel
(``data_gen.py`` there), in bytes 123.7, 116.3, 103.5 and 58.4, 57.1, 57.4. One pair for all three
takes raw bytes with no operator: 114 and 58 are their means in whole bytes. Measured with YuNet's
points on LFW / MFR2: each channel its own 0.9908 / 0.9127, 114 and 58 0.9905 / 0.9104, and 127.5
with 127.5, as often written, 0.9903 / 0.9009.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.foreign.picture import Arrays, Picture, Run
from edge.errors import DataError
from edge.frames import Frame
from edge.geometry import ARCFACE_112, similarity_matrix, warp
from edge.results import Detection
from edge.stages.identify import unit

__all__ = ["NARROW", "NARROW_BYTES", "PICTURE", "MobileFaceNet"]

PICTURE = Picture(112, 112, "RGB", 114.0, 58.0)
NARROW = Picture(112, 96, "RGB", 127.5, 128.0)
#: The file with uint8 inputs reads raw bytes: its own scale is 1/128, its zero point 127.
NARROW_BYTES = Picture(112, 96, "RGB", 127.0, 128.0)


class MobileFaceNet:
    """Embed an aligned face.

    Args:
        run: of the network; its last output is the embedding ``[1, 128]``, not normalised.
        picture: one of those above; the template lies in its middle.
        replicate: beyond the frame repeat its border, for pictures that are tight crops.
    """

    def __init__(self, run: Run, picture: Picture = PICTURE, *, replicate: bool = False) -> None:
        self._run, self._picture, self._replicate = run, picture, replicate

    def prepare(self, frame: Frame, detection: Detection) -> Arrays:
        """Return the network's input for a face, aligned by its five points."""
        height, width = self._picture.size_hw
        template = ARCFACE_112 - np.array([(112 - width) / 2, (112 - height) / 2])
        pixels = np.empty((height, width, 3), np.uint8)
        matrix = similarity_matrix(detection.points_5x2, template)
        warp(frame.image, matrix, pixels, replicate=self._replicate)
        return (self._picture.real(pixels),)

    def __call__(self, frame: Frame, detection: Detection) -> NDArray[np.float32]:
        """Return the embedding, float32 ``[128]`` of length 1.

        Raises:
            DataError: the network gave something that is not finite.
        """
        embedding = self._run(self.prepare(frame, detection))[-1].ravel()
        if not np.isfinite(embedding).all():
            raise DataError("the embedding is not finite", code="foreign.finite")
        return unit(embedding)
