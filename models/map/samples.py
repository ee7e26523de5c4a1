"""What export shows the map network: drawn masks, for calibration, tuning and evidence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.training.covered import CoveredFaces, drawn_crop, evidence, tuning

__all__ = ["calibration", "evidence", "tuning"]

Picture = NDArray[np.uint8]


def calibration(data: Path, count: int) -> Iterator[tuple[Picture, ...]]:
    """Yield the network's input, uint8 ``[128, 128, 3]``, of ``count`` training faces."""
    faces = CoveredFaces(data, "train", "train", limit=count)
    for index in range(len(faces.images)):
        image, _ = drawn_crop(faces, index, np.random.default_rng([3, index]))
        yield (image,)
