"""Paint the part of a face that a mask covers; every other pixel stays the frame's own."""

from __future__ import annotations

from typing import Any

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

__all__ = ["ReconstructStage", "covered_map", "hide_covered", "paint", "to_bytes"]

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
        self._least = contract.outputs[self._map_position].least_stored(contract.threshold)
        image = edit_contract.outputs[self._image_position]
        self._bytes = None if image.dtype == "float32" else to_bytes(image.to_real(image.codes()))
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
        values = self.engine.outputs[self._map_position].reshape(self._covered.shape)
        self._covered = covered_map(values, threshold=self._least)
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
        painted = paint(self._crop, self._covered, self._pixels())
        return Painting(painted, self._covered, self.matrix)

    def repaint(self, frame: Frame, detection: Detection, painting: Painting) -> Painting:
        """Put an earlier painting of the same face into another frame; no network runs.

        Crops are upright by the face's points, so that what was painted lies where it did. The
        visible pixels are those of ``frame``.

        Args:
            frame: read only.
            detection: the face in it.
            painting: of this stage, from an earlier frame.
        """
        contract, crop = self.contract, np.empty_like(painting.image_bgr)
        matrix = crop_matrix(contract, frame.image.shape[:2], detection)
        warp(frame.image, matrix, crop, replicate=contract.crop.replicate)
        painted = paint(crop, painting.map_u8, painting.image_bgr)
        return Painting(painted, painting.map_u8, matrix)

    def warm_up(self, frame: Frame, detection: Detection) -> None:
        """Run both networks once, the painter even where the finder sees nothing to paint."""
        super().warm_up(frame, detection)
        self.edit_engine.run()

    def _pixels(self) -> NDArray[np.uint8]:
        """Return what the painter gave as pixels, uint8 ``[H, W, 3]``."""
        stored = self.edit_engine.outputs[self._image_position][0]
        if self._bytes is None:
            return to_bytes(stored)
        return cv2.LUT(stored.view(np.uint8), self._bytes).astype(np.uint8, copy=False)


def covered_map(values: NDArray[Any], *, threshold: float) -> NDArray[np.uint8]:
    """Turn a network's map into the pixels to paint.

    Specks vanish (3x3 opening), then the map grows by two pixels, so that the mask's rim goes too.

    Args:
        values: ``[H, W]``, real or as they are stored.
        threshold: covered from here on, of the same kind.

    Returns:
        uint8 ``[H, W]``, 255 where covered, else 0.
    """
    covered = (values >= threshold).view(np.uint8) * np.uint8(255)
    opened = cv2.morphologyEx(covered, cv2.MORPH_OPEN, _KERNEL)
    return cv2.dilate(opened, _KERNEL, iterations=2).astype(np.uint8, copy=False)


def hide_covered(crop: NDArray[np.uint8], covered: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the crop uint8 ``[H, W, 3]`` with byte 128, the value 0, wherever it is covered."""
    return _replaced(crop, np.full_like(crop, 128), covered)


def to_bytes(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Turn the painter's values 0..1 into pixels; a byte is 1/256."""
    pixels: NDArray[np.uint8] = np.clip(values * np.float32(256), 0, 255).astype(np.uint8)
    return pixels


def paint(
    crop: NDArray[np.uint8], covered: NDArray[np.uint8], pixels: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Return the painter's pixels where covered and the crop's own bytes elsewhere.

    Args:
        crop, pixels: uint8 ``[H, W, 3]``.
        covered: uint8 ``[H, W]``, not 0 where covered.
    """
    return _replaced(crop, pixels, covered)


def _replaced(
    image: NDArray[np.uint8], other: NDArray[np.uint8], where: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Return a copy of an image with the other's pixels where the mask is not 0."""
    return cv2.copyTo(other, where, image.copy()).astype(np.uint8, copy=False)


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
