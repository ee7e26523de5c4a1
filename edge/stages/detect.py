"""Find the faces of a frame: one anchor-free cell a place in three grids."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge.contract import Contract
from edge.engines.base import Engine
from edge.errors import BundleError
from edge.frames import Frame
from edge.geometry import from_smaller, non_max_suppression
from edge.results import Detection
from edge.stages.base import Stage, crop_matrix

__all__ = ["DetectStage"]

_IOU = 0.45
#: Boxes that non-maximum suppression looks at, the best first.
_MAX_CANDIDATES = 400
#: exp() of more is larger than any input; a network that says so is wrong, not near.
_MAX_LOG = 6.0


class DetectStage(Stage[list[Detection]]):
    """Boxes, scores and five points of every face, the surest first.

    For each stride ``s`` the network gives ``scores`` ``[1, N, 1]``, ``boxes`` ``[1, N, 4]`` and
    ``points5`` ``[1, N, 10]``, N cells row by row. With the cell's centre ``c = (col + 0.5,
    row + 0.5)``: box centre ``(c + (dx, dy)) * s``, box size ``exp((log w, log h)) * s``, point
    ``(c + p) * s``, all in input pixels with 0 at the left edge of the first pixel.
    """

    def __init__(self, engine: Engine, contract: Contract) -> None:
        super().__init__(engine, contract)
        strides = sorted({s.stride for s in contract.outputs if s.meaning == "scores"})
        self._grids = [_Grid(contract, stride) for stride in strides]
        if not self._grids or contract.crop.kind != "frame":
            raise BundleError(
                f"contract of {contract.network}: a detector reads the frame and has scores",
                code="contract.detect",
            )

    def prepare(self, frame: Frame, detection: Detection | None = None, place: int = 0) -> None:
        """Warp the whole frame into the input; from the camera's small picture if there is one."""
        if frame.small is None:
            super().prepare(frame, detection, place)
            return
        frame_hw = frame.image.shape[:2]
        matrix = self.matrices[place] = crop_matrix(self.contract, frame_hw, detection)
        self.fill(frame.small, from_smaller(matrix, frame_hw, frame.small.shape[:2]), place)

    def decode(self, place: int = 0) -> list[Detection]:
        """Return the faces in frame pixels; a frame without any gives an empty list."""
        each = (self._candidates(grid, place) for grid in self._grids)
        found = [rows for rows in each if rows is not None]
        if not found:
            return []
        rows = np.concatenate(found) if len(found) > 1 else found[0]
        rows[:, 1:] /= np.float32(self.matrices[place][0, 0])
        faces = [row for row in rows.tolist() if _is_face(row)]
        boxes, scores = [row[1:5] for row in faces], [row[0] for row in faces]
        kept = non_max_suppression(boxes, scores, iou=_IOU, limit=_MAX_CANDIDATES)
        return [
            Detection(
                np.array(boxes[i], np.float32),
                scores[i],
                np.array(faces[i][5:], np.float32).reshape(5, 2),
            )
            for i in kept
        ]

    def _candidates(self, grid: _Grid, place: int) -> NDArray[np.float32] | None:
        """Return ``[n, 15]``: score, box xywh and points, in input pixels; None where n is 0."""
        outputs = self.engine.outputs
        cells = (outputs[grid.positions[0]][place, :, 0] >= grid.least_score).nonzero()[0]
        if not len(cells):
            return None
        # In as few calls as can be: behind a network nothing is in the cache, and each call into
        # NumPy costs more than its arithmetic.
        stored = np.concatenate([outputs[p][place][cells] for p in grid.positions], axis=1)
        rows: NDArray[np.float32] = stored - grid.zero_points
        rows *= grid.scales
        rows[:, 1:] += grid.centres[cells]
        corner, size = rows[:, 1:3], rows[:, 3:5]
        np.exp(np.minimum(size, _MAX_LOG), out=size)
        corner -= size / 2
        rows[:, 1:] *= np.float32(grid.stride)
        return rows


def _is_face(row: list[float]) -> bool:
    """Tell whether a candidate is finite and no smaller than a pixel of the frame."""
    return row[3] >= 1 and row[4] >= 1 and math.isfinite(sum(row))


class _Grid:
    """The three outputs of one stride.

    Attributes:
        stride: input pixels a cell.
        positions: of scores, boxes and points among the outputs.
        least_score: as it is stored.
        zero_points, scales: float32 ``[15]``, of score, box and points.
        centres: float32 ``[N, 14]``, what is added to box and points: each cell's ``(x, y)`` once
            for the box's centre, nothing for its size, and five times over, once a point.
    """

    def __init__(self, contract: Contract, stride: int) -> None:
        self.stride = stride
        self.positions = [
            contract.output(meaning, stride=stride) for meaning in ("scores", "boxes", "points5")
        ]
        self.least_score = contract.outputs[self.positions[0]].least_stored(contract.threshold)
        if stride < 1:
            raise BundleError(
                f"contract of {contract.network}: scores have a stride", code="contract.detect"
            )
        rows, columns = (side // stride for side in contract.size_hw)
        y, x = np.mgrid[:rows, :columns]
        cells = np.stack([x, y], -1).reshape(-1, 2).astype(np.float32) + np.float32(0.5)
        self.centres = np.hstack([cells, np.zeros_like(cells), np.tile(cells, 5)])
        specs, widths = [contract.outputs[position] for position in self.positions], (1, 4, 10)
        self.zero_points = _each([spec.zero_point for spec in specs], widths)
        self.scales = _each([spec.scale for spec in specs], widths)
        for spec, width in zip(specs, widths, strict=True):
            if spec.shape != (1, rows * columns, width):
                raise BundleError(
                    f"contract of {contract.network}: {spec.name} has shape {spec.shape}, "
                    f"not {(1, rows * columns, width)}",
                    code="contract.detect",
                )


def _each(values: Sequence[float], times: tuple[int, ...]) -> NDArray[np.float32]:
    """Return float32 with each value repeated so many times."""
    return np.repeat(np.array(values, np.float32), times)
