"""An engine that gives what a test wrote: the double at the Engine protocol's seam."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.contract import Contract
from edge.engines.null import NullEngine

__all__ = ["ScriptedEngine", "face_at", "face_outputs", "half_covered", "stored"]


class ScriptedEngine(NullEngine):
    """Outputs stay as a test filled them; it keeps count of what happened."""

    def __init__(self, contract: Contract, *values: NDArray[Any]) -> None:
        super().__init__(contract)
        self.runs = 0
        self.closed = 0
        for spec, array, value in zip(contract.outputs, self.outputs, values, strict=False):
            array[:] = stored(spec.scale, spec.zero_point, value).reshape(spec.shape)

    def run(self, count: int = 1) -> None:
        """Count."""
        self.runs += 1

    def close(self) -> None:
        """Count."""
        self.closed += 1


def stored(scale: float, zero_point: int, real: NDArray[Any]) -> NDArray[np.int8]:
    """Quantise real values."""
    number = np.round(np.asarray(real, np.float64) / scale + zero_point)
    return np.clip(number, -128, 127).astype(np.int8)


def face_outputs(contract: Contract, faces: list[dict[str, Any]]) -> list[NDArray[Any]]:
    """Return a detector's real outputs, written from its contract's definition, cell by cell.

    Each face has ``stride``, ``cell`` (column, row), ``score``, ``centre`` and ``size`` in input
    pixels, ``points`` five pairs in input pixels.
    """
    outputs = [np.zeros(spec.shape) for spec in contract.outputs]
    for face in faces:
        stride, (column, row) = face["stride"], face["cell"]
        cell = row * (320 // stride) + column
        middle = np.array([column + 0.5, row + 0.5])
        shift = np.array(face["centre"]) / stride - middle
        size = np.log(np.array(face["size"]) / stride)
        points = np.array(face["points"]) / stride - middle
        outputs[contract.output("scores", stride=stride)][0, cell] = face["score"]
        outputs[contract.output("boxes", stride=stride)][0, cell] = [*shift, *size]
        outputs[contract.output("points5", stride=stride)][0, cell] = points.ravel()
    return outputs


def face_at(stride: int, cell: tuple[int, int], **more: Any) -> dict[str, Any]:
    """Return a face in the middle of a cell, four strides wide."""
    x, y = (cell[0] + 0.5) * stride, (cell[1] + 0.5) * stride
    points = [(x + dx * stride, y + dy * stride)
              for dx, dy in [(-1, -1), (1, -1), (0, 0), (-1, 1), (1, 1)]]  # fmt: skip
    return {
        "stride": stride, "cell": cell, "score": 0.9, "centre": (x, y),
        "size": (4 * stride, 5 * stride), "points": points, **more,
    }  # fmt: skip


def half_covered() -> NDArray[np.float64]:
    """Return a mask over the lower half of a crop of 128 pixels, and a speck elsewhere."""
    covered = np.zeros((128, 128))
    covered[70:110, 30:100] = 0.9
    covered[10, 10] = 0.9
    return covered
