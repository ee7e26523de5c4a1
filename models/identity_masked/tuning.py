"""Masked faces on which layers may be chosen: validation faces, every second under a drawn mask."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.packs import Pack
from models.training.masks import Masks

__all__ = ["pack"]


def pack(data: Path) -> Pack:
    """Return the pack ``faces`` with masks of the training templates, the same every time."""
    return _Worn.open(data / "faces")


class _Worn(Pack):
    """A pack of which every second picture wears a mask; each needs its five points."""

    _masks: Masks | None = None

    def image(self, name: str) -> NDArray[np.uint8]:
        """Decode one picture and draw the mask that it wears, if it does."""
        image, index = super().image(name), self.names.index(name)
        if index % 2:
            return image
        if self._masks is None:
            self._masks = Masks(self.folder.parent / "mask_templates", "train")
        points = self.points5(name)
        return self._masks.draw(image, points, np.random.default_rng([11, index])).image_bgr
