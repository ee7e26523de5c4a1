"""Find the face that a labelled picture is about, with the runtime's own detector."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.packs import Pack
from edge.errors import DataError
from edge.frames import Frame
from edge.geometry import ARCFACE_112, iou_matrix
from edge.results import Detection

__all__ = ["Face", "FaceFinder", "chosen_split", "row_box", "spread", "whole_picture"]

_Item = TypeVar("_Item")

#: Pictures with a shorter side are crops of a face already (FER2013 has 48 pixels).
MIN_SIDE_PX = 64
#: A detection that overlaps the annotated box less is another face.
MIN_IOU = 0.3


@dataclass(frozen=True, slots=True)
class Face:
    """A picture and the face in it.

    Attributes:
        frame: with the picture.
        detection: the face, in pixels of the picture.
        as_face: no face was found, so the annotated box, or else the whole picture, is taken.
    """

    frame: Frame
    detection: Detection
    as_face: bool


class FaceFinder:
    """Run the detector on a picture and choose one face.

    What was found is kept by the picture's name, so that a second network is judged on the very
    same faces.

    Args:
        detect: the runtime's own detector, or another; the caller closes its engine.
    """

    def __init__(self, detect: Callable[[Frame], list[Detection]]) -> None:
        self._detect = detect
        self._found: dict[str, tuple[Detection, bool]] = {}

    def find(
        self, image: NDArray[np.uint8], source: str, box_xywh: NDArray[np.float64] | None = None
    ) -> Face:
        """Find one face in a picture.

        Args:
            image: uint8 ``[H, W, 3]``, BGR.
            source: name of the picture, one for each picture.
            box_xywh: ``[4]``, where the face is annotated: the detection that overlaps it best
                is taken. Without it the most central detection is.

        Returns:
            The face. Without such a detection, or in a picture smaller than 64 pixels with no
            annotated box, the annotated box or else the whole picture is taken as one.
        """
        frame = Frame(image=image, index=0, captured_ns=time.monotonic_ns(), source=source)
        if source not in self._found:
            small = min(image.shape[:2]) < MIN_SIDE_PX and box_xywh is None
            candidates = [] if small else self._detect(frame)
            chosen = _choose(candidates, image.shape, box_xywh)
            taken = chosen or (whole_picture(image) if box_xywh is None else _given(box_xywh))
            self._found[source] = (taken, chosen is None)
        detection, as_face = self._found[source]
        return Face(frame, detection, as_face)

    def find_row(self, pack: Pack, row: Mapping[str, str]) -> Face:
        """Find the face of one row of a pack, by its annotated box if the row has one."""
        name = row["file"]
        return self.find(pack.image(name), f"{pack.folder}/{name}", row_box(row))


def _choose(
    candidates: Sequence[Detection], shape: tuple[int, ...], box_xywh: NDArray[np.float64] | None
) -> Detection | None:
    if not candidates:
        return None
    boxes = np.array([c.box_xywh for c in candidates], np.float64)
    if box_xywh is not None:
        overlap = iou_matrix(boxes, box_xywh)[:, 0]
        best = int(np.argmax(overlap))
        return candidates[best] if overlap[best] >= MIN_IOU else None
    centre = np.array([shape[1], shape[0]]) / 2
    distance = np.linalg.norm(boxes[:, :2] + boxes[:, 2:] / 2 - centre, axis=1)
    return candidates[int(np.argmin(distance))]


def whole_picture(image: NDArray[np.uint8]) -> Detection:
    """Take a picture as a face by itself: its box, and points where the template has them."""
    return _given(np.array([0, 0, image.shape[1], image.shape[0]], np.float64))


def _given(box_xywh: NDArray[np.float64]) -> Detection:
    points = (ARCFACE_112 + 0.5) * (box_xywh[2:] / 112) - 0.5 + box_xywh[:2]
    return Detection(
        box_xywh=box_xywh.astype(np.float32), score=0.0, points_5x2=points.astype(np.float32)
    )


def row_box(row: Mapping[str, str]) -> NDArray[np.float64] | None:
    """Return the box of a row, float64 ``[4]`` (left, top, width, height), or None without one.

    Raises:
        DataError: it is no box: a number is missing, no number, or there is no extent.
    """
    texts = [row.get(key, "").strip() for key in ("x", "y", "w", "h")]
    if not any(texts):
        return None
    try:
        box = np.array([float(text) for text in texts])
    except ValueError:
        box = np.full(4, np.nan)
    if not np.isfinite(box).all() or (box[2:] <= 0).any():
        raise DataError(
            f"labels.csv: picture {row.get('file', '')!r} has the box {','.join(texts)}",
            hint="a box is x,y,w,h in pixels with a width and a height; leave all four empty for a "
            "picture without a face",
            code="pack.box",
        )
    return box


def chosen_split(pack: Pack, split: str | None) -> str | None:
    """Return the split to judge on: the named one, else ``test``, ``val``, or the whole pack."""
    if split:
        return split
    return next((name for name in ("test", "val") if name in pack.splits), None)


def spread(items: Sequence[_Item], limit: int | None) -> list[_Item]:
    """Return at most ``limit`` items, evenly spread over the sequence."""
    if limit is None or limit >= len(items):
        return list(items)
    return [items[i * len(items) // limit] for i in range(limit)]
