"""Faces of which a mask covers a part: what the map and the editing network learn from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.packs import Pack
from edge.geometry import crop_template, similarity_matrix, warp
from models.training.augment import photometric, shake
from models.training.masks import Masks

__all__ = [
    "GREY",
    "SCALE",
    "SHIFT_Y",
    "SIDE_PX",
    "CoveredFaces",
    "Crops",
    "covered_crop",
    "drawn_crop",
    "evidence",
    "hide",
    "pairs",
    "tuning",
]

Picture = NDArray[np.uint8]

SIDE_PX = 128
#: The crop of the contract: from the hair to below the chin, as wide as the pack's faces allow.
SCALE, SHIFT_Y = 1.05, -0.175
#: Byte of a covered pixel in the editing network's input; its real value is 0.
GREY = 128
_TEMPLATE = crop_template(SIDE_PX, scale=SCALE, shift_y=SHIFT_Y)


class CoveredFaces:
    """Faces of the pack ``faces`` and their points, kept in memory.

    Args:
        data: folder of the data packs.
        split: of the faces.
        masks: split of the mask templates.
        limit: use only so many faces.
    """

    def __init__(self, data: Path, split: str, masks: str, *, limit: int | None) -> None:
        pack = Pack.open(data / "faces")
        names = [row["file"] for row in pack.rows(split)][:limit]
        self.images = [pack.image(name) for name in names]
        self.points = [pack.points5(name) for name in names]
        self.masks = Masks(data / "mask_templates", masks)

    def crop(self, index: int, rng: np.random.Generator | None) -> NDArray[np.float64]:
        """Return the matrix of one face's crop, shaken where ``rng`` is given."""
        matrix = similarity_matrix(self.points[index], _TEMPLATE)
        if rng is None:
            return matrix
        flip = bool(rng.random() < 0.5)
        return shake(matrix, SIDE_PX, rng, zoom=0.08, shift=0.03, turn_deg=6, flip=flip)


class Crops:
    """Training examples made of covered faces; see ``loop.Samples``.

    Args:
        faces: to choose from.
        make: makes one example of one face.
        per_epoch: faces an epoch; all where None.
    """

    def __init__(
        self,
        faces: CoveredFaces,
        make: Callable[[CoveredFaces, int, np.random.Generator], tuple[Picture, ...]],
        *,
        per_epoch: int | None,
    ) -> None:
        self._faces, self._make, self._per_epoch = faces, make, per_epoch

    def epoch(self, rng: np.random.Generator) -> NDArray[np.intp]:
        """Return the indices of one epoch, in random order."""
        return rng.permutation(len(self._faces.images))[: self._per_epoch]

    def make(self, index: int, rng: np.random.Generator) -> tuple[Picture, ...]:
        """Return one example."""
        return self._make(self._faces, index, rng)


def cut(picture: Picture, matrix: NDArray[np.float64]) -> Picture:
    """Return the crop, uint8 ``[128, 128, ...]``; beyond the picture its border is repeated."""
    out = np.empty((SIDE_PX, SIDE_PX, *picture.shape[2:]), np.uint8)
    warp(picture, matrix, out, replicate=True)
    return out


def hide(image: Picture, cover: Picture) -> Picture:
    """Return the picture with its covered pixels grey."""
    hidden = image.copy()
    hidden[cover > 0] = GREY
    return hidden


def drawn_crop(
    faces: CoveredFaces, index: int, rng: np.random.Generator
) -> tuple[Picture, Picture]:
    """Return a shaken crop of a face under a drawn mask and the map of the mask (255 or 0)."""
    image, points = faces.images[index], faces.points[index]
    cover = np.zeros(image.shape[:2], np.uint8)
    if rng.random() < 0.92:
        drawn = faces.masks.draw(image, points, rng, incorrect=bool(rng.random() < 0.12))
        image, cover = drawn.image_bgr, drawn.cover_u8
    matrix = faces.crop(index, rng)
    image = photometric(cut(image, matrix), rng, strength=0.7)
    return image, np.where(cut(cover, matrix) > 127, 255, 0).astype(np.uint8)


def covered_crop(
    faces: CoveredFaces, index: int, rng: np.random.Generator
) -> tuple[Picture, Picture]:
    """Return a shaken crop of a bare face and the map of a mask that might hide it."""
    image, points = faces.images[index], faces.points[index]
    cover = faces.masks.cover(image.shape, points, rng)
    matrix = faces.crop(index, rng)
    image = photometric(cut(image, matrix), rng, strength=0.4)
    wide = cv2.dilate(
        cut(cover, matrix), np.ones((3, 3), np.uint8), iterations=int(rng.integers(1, 5))
    )
    return image, np.where(wide > 127, 255, 0).astype(np.uint8)


def pairs(
    data: Path, split: str, masks: str, *, limit: int | None, seed: int = 7
) -> Iterator[tuple[Picture, Picture, Picture]]:
    """Yield whole pictures of the pack: bare, under a drawn mask, and the map of the mask.

    The same pictures and masks every time.
    """
    faces = CoveredFaces(data, split, masks, limit=limit)
    for index, (image, points) in enumerate(zip(faces.images, faces.points, strict=True)):
        drawn = faces.masks.draw(image, points, np.random.default_rng([seed, index]))
        yield image, drawn.image_bgr, drawn.cover_u8


def evidence(data: Path, limit: int | None) -> Iterator[tuple[Picture, Picture, Picture]]:
    """Yield the test pictures under the test templates: bare, masked, and the mask's map."""
    yield from pairs(data, "test", "test", limit=limit)


def tuning(data: Path, limit: int | None) -> Iterator[tuple[Picture, Picture, Picture]]:
    """Yield validation pictures under training templates, on which layers may be chosen."""
    yield from pairs(data, "val", "train", limit=limit)
