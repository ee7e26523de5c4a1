"""Find 68 points of a face, in the order of iBUG's 300-W."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.contract import Contract
from edge.engines.base import Engine
from edge.errors import BundleError
from edge.geometry import transform_points
from edge.stages.base import Stage

__all__ = ["POINTS", "LandmarksStage"]

#: 0-16 jaw from the left of the picture, 17-26 brows, 27-35 nose, 36-47 eyes, 48-67 mouth
#: (Sagonas et al., "300 Faces in-the-Wild Challenge", 2013).
POINTS = 68


class LandmarksStage(Stage[NDArray[np.float32]]):
    """The points of a face, float32 ``[68, 2]``, ``(x, y)`` in frame pixels.

    The output ``points68`` has 136 numbers, x and y in turn, as shares of the crop's side: 0 is
    the left or upper edge of its first pixel, 1 the right or lower edge of its last. Points beyond
    the crop lie below 0 or above 1.
    """

    def __init__(self, engine: Engine, contract: Contract) -> None:
        super().__init__(engine, contract)
        self._position = contract.output("points68")
        shape = contract.outputs[self._position].shape
        if shape not in ((1, 2 * POINTS), (1, POINTS, 2)) or contract.crop.kind == "frame":
            raise BundleError(
                f"contract of {contract.network}: landmarks are read from a face and have shape "
                f"(1, {2 * POINTS}) or (1, {POINTS}, 2), not {shape}",
                code="contract.landmarks",
            )

    def decode(self, place: int = 0) -> NDArray[np.float32]:
        """Return the points of a face that was prepared, in new memory."""
        spec = self.contract.outputs[self._position]
        shares = spec.to_real(self.stored(self._position, place)).reshape(POINTS, 2)
        # A pixel's centre is at a whole number, so the crop begins half a pixel before 0.
        points = shares.astype(np.float64) * self.contract.size_hw[1] - 0.5
        to_frame = cv2.invertAffineTransform(self.matrices[place])
        return transform_points(to_frame, points).astype(np.float32)
