"""What export shows the editing network: hidden faces, for calibration, tuning and evidence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.training.covered import CoveredFaces, covered_crop, evidence, hide, tuning

__all__ = ["calibration", "evidence", "tuning"]

Picture = NDArray[np.uint8]


def calibration(data: Path, count: int) -> Iterator[tuple[Picture, ...]]:
    """Yield the network's two inputs, uint8 ``[128, 128, 3]`` and ``[128, 128, 1]``."""
    faces = CoveredFaces(data, "train", "train", limit=count)
    for index in range(len(faces.images)):
        image, cover = covered_crop(faces, index, np.random.default_rng([3, index]))
        yield hide(image, cover), cover[..., None]
