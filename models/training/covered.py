"""Faces of which a mask covers a part: what the map and the editing network learn from."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.packs import Pack
from edge.geometry import crop_template, similarity_matrix, warp
from models.training.augment import photometric, shake
from models.training.masks import Masks
from models.training.surroundings import framed_faces, scene_faces

__all__ = [
    "GREY",
    "SCALE",
    "SHIFT_Y",
    "SIDE_PX",
    "CoveredFaces",
    "Crops",
    "covered_crop",
    "drawn_crop",
    "drawn_pairs",
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
        limit: use only so many faces of each pack.
        surrounded: add faces of other packs that show what lies round them, see ``surroundings``.

    Attributes:
        packs: which of the faces come from which pack.
    """

    def __init__(
        self, data: Path, split: str, masks: str, *, limit: int | None, surrounded: bool = False
    ) -> None:
        pack = Pack.open(data / "faces")
        names = [row["file"] for row in pack.rows(split)][:limit]
        self.images = [pack.image(name) for name in names]
        self.points = [pack.points5(name) for name in names]
        self.packs = [range(len(names))]
        for found in (framed_faces, scene_faces) if surrounded else ():
            first = len(self.images)
            for image, points in itertools.islice(found(data, split), limit):
                self.images.append(image)
                self.points.append(points)
            self.packs.append(range(first, len(self.images)))
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
        per_epoch: faces an epoch; as many as the first pack has where None.
        shares: of an epoch that each pack has. Of the first none is taken twice; the others are
            smaller than their share may ask for, and are drawn with repetition.
    """

    def __init__(
        self,
        faces: CoveredFaces,
        make: Callable[[CoveredFaces, int, np.random.Generator], tuple[Picture, ...]],
        *,
        per_epoch: int | None,
        shares: Sequence[float] = (1.0,),
    ) -> None:
        self._faces, self._make, self._shares = faces, make, shares
        self._count = min(per_epoch or len(faces.images), len(faces.packs[0]))

    def epoch(self, rng: np.random.Generator) -> NDArray[np.intp]:
        """Return the indices of one epoch, in random order."""
        first, *others = self._faces.packs
        counts = [int(self._count * share) for share in self._shares[1:]]
        drawn = [rng.choice(pack, count) for pack, count in zip(others, counts, strict=True)]
        whole = rng.permutation(len(first))[: self._count - sum(counts)]
        return rng.permutation(np.concatenate([whole, *drawn])) if drawn else whole

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
    data: Path, split: str, masks: str, *, limit: int | None
) -> Iterator[tuple[Picture, Picture, Picture]]:
    """Yield whole pictures of the pack: bare, under a drawn mask, and the map of the mask."""
    faces = CoveredFaces(data, split, masks, limit=limit)
    yield from drawn_pairs(faces.masks, zip(faces.images, faces.points, strict=True))


def drawn_pairs(
    masks: Masks, faces: Iterable[tuple[Picture, NDArray[np.float32]]], *, seed: int = 7
) -> Iterator[tuple[Picture, Picture, Picture]]:
    """Yield each picture bare, under a drawn mask, and the map of the mask.

    The same masks every time.

    Args:
        masks: to choose from.
        faces: pictures, each with the five points of its face.
        seed: of the masks.
    """
    for index, (image, points) in enumerate(faces):
        drawn = masks.draw(image, points, np.random.default_rng([seed, index]))
        yield image, drawn.image_bgr, drawn.cover_u8


def evidence(data: Path, limit: int | None) -> Iterator[tuple[Picture, Picture, Picture]]:
    """Yield the test pictures under the test templates: bare, masked, and the mask's map."""
    yield from pairs(data, "test", "test", limit=limit)


def tuning(data: Path, limit: int | None) -> Iterator[tuple[Picture, Picture, Picture]]:
    """Yield validation pictures under training templates, on which layers may be chosen."""
    yield from pairs(data, "val", "train", limit=limit)
