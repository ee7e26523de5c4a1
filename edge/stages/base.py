"""What every stage is, and the one pre-processing that everybody calls.

Calibration, training data, verification and the device fill a network's input here.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.contract import Contract, TensorSpec
from edge.engines.base import Engine
from edge.errors import DataError
from edge.frames import Frame
from edge.geometry import (
    ARCFACE_112,
    box_matrix,
    crop_template,
    letterbox_matrix,
    similarity_matrix,
    transform_points,
    warp,
)
from edge.results import Detection, StageTime

__all__ = ["Stage", "crop_matrix", "fill_picture", "store_bytes"]

_Value = TypeVar("_Value")
_COLOURS = {"RGB": cv2.COLOR_BGR2RGB, "GREY": cv2.COLOR_BGR2GRAY}


class Stage(ABC, Generic[_Value]):
    """One network, the crop that goes in and the value that comes out.

    Args:
        engine: with the network; the caller closes it.
        contract: of that network.

    Attributes:
        matrices: float64 ``[2, 3]``, from frame pixels to crop pixels, of each face that was
            prepared.
        time: where the time of the last call went.

    Raises:
        BundleError: the contract is not one that this stage can read.
    """

    def __init__(self, engine: Engine, contract: Contract) -> None:
        self.engine = engine
        self.contract = contract
        self.matrices: list[NDArray[np.float64]] = [np.eye(2, 3)] * engine.batch
        self.time = StageTime()
        #: Crops of the faces beyond one batch, until it is their turn.
        self._shelf: list[NDArray[Any]] = []
        self._count = self._pre_ns = self._infer_ns = 0

    def prepare(self, frame: Frame, detection: Detection | None = None, place: int = 0) -> None:
        """Warp the crop from the frame straight into the engine's input.

        Args:
            frame: read only.
            detection: the face; None for a crop of the whole frame.
            place: among those that were made ready.
        """
        matrix = crop_matrix(self.contract, frame.image.shape[:2], detection)
        self.matrices[place] = matrix
        self.fill(frame.image, matrix, place)

    def fill(self, image: NDArray[np.uint8], matrix: NDArray[np.float64], place: int = 0) -> None:
        """Warp a part of a picture into the engine's input.

        Args:
            image: uint8 ``[H, W, 3]``, BGR. Read only.
            matrix: float64 ``[2, 3]``, from image pixels to input pixels.
            place: of the face.
        """
        spec, replicate = self.contract.inputs[0], self.contract.crop.replicate
        fill_picture(spec, image, matrix, self.target(place), replicate=replicate)

    def run(self, count: int = 1) -> None:
        """Run the network on as many faces as were prepared."""
        self._invoke(self.engine, count)

    @abstractmethod
    def decode(self, place: int = 0) -> _Value:
        """Turn the engine's outputs for the face at a place of the batch into its value."""

    def __call__(self, frame: Frame, detection: Detection | None = None) -> _Value:
        """Prepare, run, decode; ``time`` says how long each took."""
        (value,) = self.many(frame, [detection])
        return value

    def many(self, frame: Frame, detections: Sequence[Detection | None]) -> list[_Value]:
        """Do that with several faces, as many at once as the engine takes; ``time`` is of all."""
        self.ready(frame, detections)
        return self.answer()

    def ready(self, frame: Frame, detections: Sequence[Detection | None]) -> None:
        """Prepare all, by the clock; ``answer`` follows when the caller wants it.

        Those beyond the engine's batch are cut now, too, while the frame is in the cache, and wait
        on a shelf: behind a network they take longer by more than the copy does.
        """
        start = time.perf_counter_ns()
        self._count = len(detections)
        if self._count > len(self.matrices):
            self._make_room(self._count)
        for place, detection in enumerate(detections):
            self.prepare(frame, detection, place)
        self._pre_ns = time.perf_counter_ns() - start

    def answer(self) -> list[_Value]:
        """Run and decode what was made ready, batch by batch; ``time`` then has all of it."""
        self._infer_ns = 0
        start = time.perf_counter_ns()
        count, batch = self._count, self.engine.batch
        values: list[_Value] = []
        for first in range(0, count, batch):
            some = batch if first + batch <= count else count - first
            if first:
                self._load(first, some)
            self.run(some)
            for place in range(some):
                values.append(self.decode(place))
        rest = time.perf_counter_ns() - start
        self.time = StageTime(self._pre_ns, self._infer_ns, rest - self._infer_ns, count)
        return values

    def warm_up(self, frame: Frame, detection: Detection) -> None:
        """Run everything once, whatever there is to see; the value does not count."""
        self(frame, detection)

    def stored(self, position: int, place: int) -> NDArray[Any]:
        """Return what the engine gave for the face at a place, in the contract's shape."""
        engine = self.engine
        output = engine.outputs[position]
        return output if engine.batch == 1 else output[place : place + 1]

    def target(self, place: int) -> NDArray[Any]:
        """Return where a face's picture goes: into the engine's own memory, or onto the shelf."""
        engine = self.engine
        if place >= engine.batch:
            return self._shelf[place - engine.batch]
        return engine.inputs[0] if engine.batch == 1 else engine.inputs[0][place : place + 1]

    def _make_room(self, count: int) -> None:
        """Have a place for so many faces, more than ever; it is kept for the next frame."""
        while len(self.matrices) < count:
            self.matrices.append(self.matrices[0])
            self._shelf.append(np.empty_like(self.target(0)))

    def _load(self, first: int, count: int) -> None:
        """Move faces from the shelf to the front, into the engine's memory."""
        for place in range(count):
            np.copyto(self.target(place), self.target(first + place))
            self.matrices[place] = self.matrices[first + place]

    def _invoke(self, engine: Engine, count: int) -> None:
        """Run one engine; only what it takes counts as inference."""
        start = time.perf_counter_ns()
        engine.run(count)
        self._infer_ns += time.perf_counter_ns() - start


def crop_matrix(
    contract: Contract, frame_hw: tuple[int, ...], detection: Detection | None
) -> NDArray[np.float64]:
    """Return where a network's input lies in a frame.

    A face whose points lie in one place is cut out by its box instead.

    Args:
        contract: says the kind and the size of the crop.
        frame_hw: height and width of the frame in pixels.
        detection: the face; a crop of kind ``frame`` needs none.

    Returns:
        float64 ``[2, 3]``, from frame pixels to crop pixels.

    Raises:
        DataError: the crop needs a face and there is none, or the face's box has no extent.
    """
    crop, (height, width) = contract.crop, contract.size_hw
    if crop.kind == "frame":
        return letterbox_matrix(frame_hw[0], frame_hw[1], height, width)
    if detection is None:
        raise DataError(f"the network {contract.network} reads a face and there is none",
                        code="stage.face")  # fmt: skip
    if crop.kind == "box":
        return box_matrix(detection.box_xywh, width, scale=crop.scale)
    template = crop_template(width, scale=crop.scale, shift_y=crop.shift_y)
    try:
        return similarity_matrix(detection.points_5x2, template)
    except DataError:
        return similarity_matrix(_points_of_box(detection.box_xywh), template)


def _points_of_box(box_xywh: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return where the five points would be if the box were an upright ArcFace crop."""
    to_crop = box_matrix(box_xywh, 112, scale=1.0)
    return transform_points(cv2.invertAffineTransform(to_crop), ARCFACE_112)


def fill_picture(
    spec: TensorSpec,
    image: NDArray[np.uint8],
    matrix: NDArray[np.float64],
    out: NDArray[Any],
    *,
    replicate: bool = False,
) -> None:
    """Warp a part of a picture into a network's input as the bytes that the network reads.

    Args:
        spec: of the input; its colour is ``BGR``, ``RGB`` or ``GREY``.
        image: uint8 ``[H, W, 3]``, BGR. Read only.
        matrix: float64 ``[2, 3]``, from image pixels to input pixels.
        out: the input itself, contiguous ``[1, h, w, C]`` of the spec's dtype; overwritten.
        replicate: beyond the image repeat its border instead of showing black.
    """
    _, height, width, _ = spec.shape
    if spec.colour == "BGR" and spec.dtype != "float32":
        pixels = out[0].view(np.uint8)  # the engine's own memory: no copy
    else:
        pixels = np.empty((height, width, 3), np.uint8)
    warp(image, matrix, pixels, replicate=replicate)
    if spec.colour in _COLOURS:
        pixels = cv2.cvtColor(pixels, _COLOURS[spec.colour])
    store_bytes(spec, pixels, out)


def store_bytes(spec: TensorSpec, pixels: NDArray[np.uint8], out: NDArray[Any]) -> None:
    """Store bytes the way a picture input wants them; the value is ``(byte - mean) / std``.

    Args:
        spec: of the input.
        pixels: uint8, as many as ``out`` has; may be the memory of ``out``.
        out: the input itself, contiguous, of the spec's dtype; overwritten.
    """
    pixels = pixels.reshape(out.shape)
    if spec.dtype == "int8":
        np.bitwise_xor(pixels, 0x80, out=out.view(np.uint8))
    elif spec.dtype == "uint8":
        np.copyto(out, pixels)
    else:
        np.subtract(pixels, np.float32(spec.mean), out=out)
        np.multiply(out, np.float32(1 / spec.std), out=out)
