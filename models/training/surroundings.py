"""Faces with what lies round them, from ``landmarks68`` and ``detect_train``.

The pack ``faces`` is cut at cheeks and brow. Who learned to paint from it alone paints cheeks
into whatever stands behind a head; a camera shows collars, hair and walls.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.packs import Pack
from models.training.masks import five_points

__all__ = ["framed_faces", "scene_faces"]

Face = tuple[NDArray[np.uint8], NDArray[np.float32]]

#: Shorter side of a face's box in a scene; a smaller one says nothing about skin.
_LEAST_PX = 36


def framed_faces(data: Path, split: str) -> Iterator[Face]:
    """Yield the pictures of ``landmarks68`` and their five points, the means of their 68.

    Frames of films; 15 at most of one person.
    """
    pack = Pack.open(data / "landmarks68")
    arrays = pack.arrays("points68")
    points = dict(zip(map(str, arrays["names"]), arrays["points"], strict=True))
    for row in pack.rows(split):
        if row["has_68"] == "1":
            yield pack.image(row["file"]), five_points(points[row["file"]][:, :2])


def scene_faces(data: Path, split: str) -> Iterator[Face]:
    """Yield the bare faces of ``detect_train``'s photographs that are large enough.

    Frames of films are passed over: they are those of ``landmarks68``.
    """
    pack = Pack.open(data / "detect_train")
    rows, arrays = pack.rows(), pack.arrays("points5")
    for number, points in zip(arrays["row"], arrays["points"], strict=True):
        row = rows[int(number)]
        if (
            row["split"] == split
            and row["label"] in ("face", "unmasked")
            and row["ignore"] != "1"
            and row["source"] != "ytf"
            and min(float(row["w"]), float(row["h"])) >= _LEAST_PX
        ):
            yield pack.image(row["file"]), points.astype(np.float32)
