"""Reconstruction: how near is the painted picture to the one without the mask?

Measures, each a mean over the pictures:
    psnr          dB, whole picture, the painting pasted back, against the bare one
    ssim          the same two pictures
    psnr_covered, ssim_covered: of the part alone that the mask covers
    iou           of the map with the mask as it was drawn, where that is known
    psnr_masked   dB, the picture with the mask on: what doing nothing gives
    psnr_<group>  over one group of people, such as ``psnr_sex_female``

The covered part is the mask as it was drawn, or, where that is not known, whatever differs between
the masked and the bare picture; ``cover`` says which. Intervals draw people with replacement where
the data names them, else pictures.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.faces import FaceFinder
from benchmarks.figures import Figures, Measure, mean
from benchmarks.metrics import psnr, ssim_map
from benchmarks.readers import Row
from benchmarks.tasks.groups import by_group, person_of, row_groups
from benchmarks.tasks.pair_folder import Triple
from edge.errors import DataError
from edge.results import Painting
from edge.stages import ReconstructStage

__all__ = ["evaluate", "paste"]

#: Steps of 255 by which a channel must differ to be called covered: more than JPEG's noise.
_DIFFERS = 16
#: Pixels at each side that no whole window of SSIM has in its middle.
_RIM = 5


@dataclass(frozen=True, slots=True)
class _Judged:
    """One picture; None where there is nothing to measure."""

    psnr: float
    ssim: float
    psnr_covered: float | None
    ssim_covered: float | None
    iou: float | None
    psnr_masked: float


def evaluate(
    finder: FaceFinder,
    stage: ReconstructStage,
    triples: Iterable[Triple],
    *,
    data: str,
    rows: Sequence[Row] = (),
) -> Figures:
    """Judge the reconstruct stage on pictures of which the bare one is known.

    Args:
        finder: chooses the face of each masked picture.
        stage: under test; it takes every face as masked.
        triples: read once.
        data: name of the data, which also tells the pictures of two runs apart.
        rows: who is in each picture, see ``groups``; nothing is known without.

    Raises:
        DataError: there are no pictures, or two of a triple differ in size.
    """
    started = time.monotonic()
    judged, as_face, unpainted, drawn = [], 0, 0, False
    for number, (clean, masked, cover) in enumerate(triples):
        known = cover if cover is not None else clean[..., 0]
        if not clean.shape[:2] == masked.shape[:2] == known.shape or min(known.shape) < 11:
            raise DataError(
                f"{data}: picture {number}: the bare and the masked one differ in size, or are "
                "smaller than 11 pixels",
                code="reconstruct.size",
            )
        face = finder.find(masked, f"{data}#{number}")
        as_face += face.as_face
        painting = stage(face.frame, face.detection)
        unpainted += painting is None
        drawn = drawn or cover is not None
        judged.append(_judge(clean, masked, cover, painting))
    if not judged:
        raise DataError(f"{data}: no pictures", code="reconstruct.empty")
    return Figures(
        task="reconstruct",
        data=data,
        n=len(judged),
        measures=_measures(judged, rows or [{"file": str(i)} for i in range(len(judged))]),
        as_face=as_face,
        seconds=time.monotonic() - started,
        details={"unpainted": unpainted, "cover": "drawn" if drawn else "difference"},
    )


def _judge(
    clean: NDArray[np.uint8],
    masked: NDArray[np.uint8],
    cover: NDArray[np.uint8] | None,
    painting: Painting | None,
) -> _Judged:
    result = masked if painting is None else paste(masked, painting)
    covered = cv2.absdiff(clean, masked).max(2) > _DIFFERS if cover is None else cover > 0
    similar = ssim_map(clean, result)
    inner = covered[_RIM:-_RIM, _RIM:-_RIM]
    return _Judged(
        psnr=psnr(clean, result),
        ssim=float(similar.mean()),
        psnr_covered=psnr(clean[covered], result[covered]) if covered.any() else None,
        ssim_covered=float(similar[inner].mean()) if inner.any() else None,
        iou=None if cover is None else _map_iou(painting, cover),
        psnr_masked=psnr(clean, masked),
    )


def _measures(judged: Sequence[_Judged], rows: Sequence[Row]) -> dict[str, Measure]:
    people = [person_of(row) for row in rows]

    def average(name: str, places: Iterable[int]) -> Measure:
        known = [(float(value), people[i]) for i in places
                 if (value := getattr(judged[i], name)) is not None]  # fmt: skip
        return mean([value for value, _ in known], [person for _, person in known])

    every = list(range(len(judged)))
    measures = {name: average(name, every) for name in _Judged.__slots__}
    if not measures["iou"].n:
        del measures["iou"]
    for name, measure in by_group(
        every, [row_groups(row) for row in rows], lambda places: average("psnr", places)
    ):
        measures[f"psnr_{name}"] = measure
    return measures


def paste(image: NDArray[np.uint8], painting: Painting) -> NDArray[np.uint8]:
    """Put a painted face back into its picture; pixels outside the map stay as they are.

    Args:
        image: uint8 ``[H, W, 3]``, the frame the painting was made from. Read only.
        painting: of one face.

    Returns:
        uint8 ``[H, W, 3]``, new memory.
    """
    height, width = image.shape[:2]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    painted = cv2.warpAffine(
        painting.image_bgr,
        painting.matrix,
        (width, height),
        flags=flags,
        borderMode=cv2.BORDER_REPLICATE,
    )
    covered = cv2.warpAffine(painting.map_u8, painting.matrix, (width, height), flags=flags)
    return np.where(covered[..., None] >= 128, painted, image).astype(np.uint8)


def _map_iou(painting: Painting | None, cover: NDArray[np.uint8]) -> float:
    """Compare the found map with the drawn mask, in pixels of the picture."""
    height, width = cover.shape
    found = np.zeros((height, width), bool)
    if painting is not None:
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        warped = cv2.warpAffine(painting.map_u8, painting.matrix, (width, height), flags=flags)
        found = warped >= 128
    union = int((found | (cover > 0)).sum())
    return int((found & (cover > 0)).sum()) / union if union else 1.0
