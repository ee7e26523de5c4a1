"""Paint the part of a face that a mask covers; every other pixel stays the frame's own."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.contract import Contract
from edge.engines.base import Engine
from edge.errors import BundleError
from edge.frames import Frame
from edge.geometry import warp
from edge.results import Detection, Painting
from edge.stages.base import Stage, crop_matrix, store_bytes

__all__ = ["ReconstructStage", "covered_map", "hide_covered", "paint"]

_KERNEL = np.ones((3, 3), np.uint8)


class ReconstructStage(Stage[Painting | None]):
    """Two networks on one crop: one finds the mask, one paints what lies under it.

    Args:
        engine, contract: of the task ``map``.
        edit_engine, edit_contract: of the task ``edit``, on the same crop.
    """

    def __init__(
        self, engine: Engine, contract: Contract, *, edit_engine: Engine, edit_contract: Contract
    ) -> None:
        super().__init__(engine, contract)
        self.edit_engine = edit_engine
        self.edit_contract = edit_contract
        self._map_position = contract.output("map")
        self._image_position = edit_contract.output("image")
        _check_pair(contract, edit_contract)
        height, width = contract.size_hw
        self._crop = np.zeros((height, width, 3), np.uint8)
        self._covered = np.zeros((height, width), np.uint8)

    def prepare(self, frame: Frame, detection: Detection | None = None) -> None:
        """Warp the crop once; the finder reads it now, the painter later."""
        self.matrix = crop_matrix(self.contract, frame.image.shape[:2], detection)
        warp(frame.image, self.matrix, self._crop, replicate=self.contract.crop.replicate)
        store_bytes(self.contract.inputs[0], self._crop, self.engine.inputs[0])

    def run(self) -> None:
        """Find the covered part; where there is one, paint it."""
        self._invoke(self.engine)
        spec = self.contract.outputs[self._map_position]
        values = spec.to_real(self.engine.outputs[self._map_position]).reshape(self._covered.shape)
        self._covered = covered_map(values, threshold=self.contract.threshold)
        if not self._covered.any():
            return
        image_spec, map_spec = self.edit_contract.inputs
        image, covered = self.edit_engine.inputs
        store_bytes(image_spec, hide_covered(self._crop, self._covered), image)
        store_bytes(map_spec, self._covered, covered)
        self._invoke(self.edit_engine)

    def decode(self) -> Painting | None:
        """Return the painted face in new memory, or None where nothing is covered."""
        if not self._covered.any():
            return None
        spec = self.edit_contract.outputs[self._image_position]
        values = spec.to_real(self.edit_engine.outputs[self._image_position][0])
        painted = paint(self._crop, self._covered, values)
        return Painting(painted, self._covered, self.matrix)


def covered_map(values: NDArray[np.float32], *, threshold: float) -> NDArray[np.uint8]:
    """Turn a network's map into the pixels to paint.

    Specks vanish (3x3 opening), then the map grows by two pixels, so that the mask's rim goes too.

    Args:
        values: float32 ``[H, W]``, 0..1.
        threshold: covered from here on.

    Returns:
        uint8 ``[H, W]``, 255 where covered, else 0.
    """
    covered = (values >= threshold).astype(np.uint8) * np.uint8(255)
    opened = cv2.morphologyEx(covered, cv2.MORPH_OPEN, _KERNEL)
    return cv2.dilate(opened, _KERNEL, iterations=2).astype(np.uint8, copy=False)


def hide_covered(crop: NDArray[np.uint8], covered: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the crop uint8 ``[H, W, 3]`` with byte 128, the value 0, wherever it is covered."""
    hidden: NDArray[np.uint8] = np.where(covered[..., None] > 0, np.uint8(128), crop)
    return hidden


def paint(
    crop: NDArray[np.uint8], covered: NDArray[np.uint8], values: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """Return the network's pixels where covered and the crop's own bytes elsewhere.

    Args:
        crop: uint8 ``[H, W, 3]``.
        covered: uint8 ``[H, W]``, not 0 where covered.
        values: float32 ``[H, W, 3]``, 0..1: the painter's output; a byte is 1/256.
    """
    pixels = np.clip(values * np.float32(256), 0, 255).astype(np.uint8)
    painted: NDArray[np.uint8] = np.where(covered[..., None] > 0, pixels, crop)
    return painted


def _check_pair(contract: Contract, edit: Contract) -> None:
    """Refuse two networks that do not read the same crop, or tensors of another size."""
    height, width = contract.size_hw
    specs = (contract.inputs[0], edit.inputs[0], edit.outputs[edit.output("image")])
    finder = contract.outputs[contract.output("map")]
    maps = (finder, *edit.inputs[1:])
    if (
        contract.crop != edit.crop
        or len(edit.inputs) != 2
        or any(spec.shape != (1, height, width, 3) for spec in specs)
        or any(spec.colour not in ("BGR", "") for spec in specs)
        or any(spec.shape != (1, height, width, 1) or spec.meaning != "map" for spec in maps)
    ):
        raise BundleError(
            f"contracts of {contract.network} and {edit.network} do not fit together: both read "
            "one BGR crop, one gives its map and the other takes it",
            code="contract.reconstruct",
        )
