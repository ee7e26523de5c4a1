"""Paint the part of a face that a mask covers; every other pixel stays the frame's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.contract import Contract, TensorSpec
from edge.engines.base import Engine, slot
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
        self._pixels = _reader(edit_contract.outputs[self._image_position])
        height, width = contract.size_hw
        #: Of each face: its crop, what of it is covered, and what the painter gave for it.
        self._crops = [np.zeros((height, width, 3), np.uint8) for _ in range(engine.batch)]
        self._covered = [np.zeros((height, width), np.uint8)] * engine.batch
        self._painted: dict[int, NDArray[np.uint8]] = {}

    def prepare(self, frame: Frame, detection: Detection | None = None, place: int = 0) -> None:
        """Warp the crop once; the finder reads it now, the painter later."""
        contract, crop = self.contract, self._crops[place]
        matrix = self.matrices[place] = crop_matrix(contract, frame.image.shape[:2], detection)
        warp(frame.image, matrix, crop, replicate=contract.crop.replicate)
        store_bytes(contract.inputs[0], crop, self.target(place))

    def run(self, count: int = 1) -> None:
        """Find the covered part of each face; where there is one, paint it."""
        self._invoke(self.engine, count)
        self._painted = {}
        for place in range(count):
            values = self.stored(self._map_position, place).reshape(self.contract.size_hw)
            self._covered[place] = covered_map(values, threshold=self._least)
        covered = (cv2.countNonZero(self._covered[place]) for place in range(count))
        places, batch = [i for i, some in enumerate(covered) if some], self.edit_engine.batch
        for first in range(0, len(places), batch):
            self._paint(places[first : first + batch])

    def decode(self, place: int = 0) -> Painting | None:
        """Return the painted face in new memory, or None where nothing is covered."""
        if place not in self._painted:
            return None
        covered = self._covered[place]
        painted = paint(self._crops[place], covered, self._painted[place])
        return Painting(painted, covered, self.matrices[place])

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

    def _make_room(self, count: int) -> None:
        super()._make_room(count)
        while len(self._crops) < count:
            self._crops.append(np.empty_like(self._crops[0]))

    def _load(self, first: int, count: int) -> None:
        super()._load(first, count)
        front, later = self._crops[:count], self._crops[first : first + count]
        self._crops[:count], self._crops[first : first + count] = later, front

    def _paint(self, places: list[int]) -> None:
        """Paint some faces, at most as many as the painter takes at once."""
        engine, (image_spec, map_spec) = self.edit_engine, self.edit_contract.inputs
        for i, place in enumerate(places):
            image, covered = (slot(engine, array, i) for array in engine.inputs)
            hidden = hide_covered(self._crops[place], self._covered[place])
            store_bytes(image_spec, hidden, image)
            store_bytes(map_spec, self._covered[place], covered)
        self._invoke(engine, len(places))
        for i, place in enumerate(places):
            self._painted[place] = self._pixels(engine.outputs[self._image_position][i])


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
    # The opening's second half and the growth are one dilation.
    kept = cv2.erode(covered, _KERNEL)
    return cv2.dilate(kept, _KERNEL, iterations=3).astype(np.uint8, copy=False)


def hide_covered(crop: NDArray[np.uint8], covered: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the crop uint8 ``[H, W, 3]`` with byte 128, the value 0, wherever it is covered."""
    return _replaced(crop, np.full_like(crop, 128), covered)


def to_bytes(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Turn the painter's values 0..1 into pixels; a byte is 1/256."""
    pixels: NDArray[np.uint8] = np.clip(values * np.float32(256), 0, 255).astype(np.uint8)
    return pixels


def _reader(spec: TensorSpec) -> Callable[[NDArray[Any]], NDArray[np.uint8]]:
    """Return what turns the painter's output, as it is stored, into pixels in new memory."""
    if spec.dtype == "float32":
        return to_bytes
    codes = spec.codes()
    table = to_bytes(spec.to_real(codes))
    if np.array_equal(table, _shifted(codes)):
        return _shifted
    return lambda stored: cv2.LUT(stored.view(np.uint8), table).astype(np.uint8, copy=False)


def _shifted(stored: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the bytes of int8 in which a step is a byte and -128 is 0."""
    return np.bitwise_xor(stored.view(np.uint8), 0x80)


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
