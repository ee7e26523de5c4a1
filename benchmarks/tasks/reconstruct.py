"""Reconstruction: how near is the painted picture to the one without the mask?

Measures, each a mean over the pictures:
    psnr         dB, whole picture, the painting pasted back, against the bare one
    ssim         the same two pictures
    iou          of the map with the mask as it was drawn, where that is known
    psnr_masked  dB, the picture with the mask on: what doing nothing gives
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.faces import FaceFinder, spread
from benchmarks.figures import Figures, mean
from benchmarks.metrics import psnr, ssim
from benchmarks.packs import Pack
from edge.errors import DataError, MissingInput
from edge.results import Painting
from edge.stages import ReconstructStage

__all__ = ["Triple", "evaluate", "paste", "read_folder"]

#: Bare picture and masked picture uint8 ``[H, W, 3]``; the mask uint8 ``[H, W]``, not 0 where it
#: covers, or None where that is not known.
Triple = tuple[NDArray[np.uint8], NDArray[np.uint8], "NDArray[np.uint8] | None"]


def evaluate(
    finder: FaceFinder,
    stage: ReconstructStage,
    triples: Iterable[Triple],
    *,
    data: str,
) -> Figures:
    """Judge the reconstruct stage on pictures of which the bare one is known.

    Args:
        finder: chooses the face of each masked picture.
        stage: under test; it takes every face as masked.
        triples: see ``Triple``; read once.
        data: name of the data, which also tells the pictures of two runs apart.

    Raises:
        DataError: there are no pictures, or two of a triple differ in size.
    """
    started = time.monotonic()
    rows, overlaps, as_face, unpainted = [], [], 0, 0
    for number, (clean, masked, cover) in enumerate(triples):
        if clean.shape != masked.shape or min(clean.shape[:2]) < 11:
            raise DataError(
                f"{data}: picture {number}: the bare and the masked one differ in size, or are "
                "smaller than 11 pixels",
                code="reconstruct.size",
            )
        face = finder.find(masked, f"{data}#{number}")
        as_face += face.as_face
        painting = stage(face.frame, face.detection)
        unpainted += painting is None
        result = masked if painting is None else paste(masked, painting)
        rows.append((psnr(clean, result), ssim(clean, result), psnr(clean, masked)))
        if cover is not None:
            overlaps.append(_map_iou(painting, cover))
    if not rows:
        raise DataError(f"{data}: no pictures", code="reconstruct.empty")
    table = np.array(rows)
    measures = {"psnr": mean(table[:, 0]), "ssim": mean(table[:, 1])}
    if overlaps:
        measures["iou"] = mean(overlaps)
    measures["psnr_masked"] = mean(table[:, 2])
    return Figures(
        task="reconstruct",
        data=data,
        n=len(rows),
        measures=measures,
        as_face=as_face,
        seconds=time.monotonic() - started,
        details={"unpainted": unpainted},
    )


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


def read_folder(folder: str | Path, *, limit: int | None = None) -> Iterator[Triple]:
    """Read ``DIR/clean`` and ``DIR/masked``, pictures of the same names.

    Args:
        folder: ``DIR``.
        limit: at most so many pictures, evenly spread.

    Raises:
        MissingInput: there are no such folders.
        DataError: a picture has no partner, or cannot be decoded.
    """
    pack = Pack.open(folder)
    sides = {
        side: {n.split("/", 1)[1] for n in pack.names if n.startswith(f"{side}/")}
        for side in ("clean", "masked")
    }
    if not sides["clean"] or not sides["masked"]:
        raise MissingInput(
            f"{folder}: no folders clean and masked with pictures in them", code="pack.missing"
        )
    alone = sorted(sides["clean"] ^ sides["masked"])
    if alone:
        raise DataError(f"{folder}: picture {alone[0]!r} has no partner", code="pack.picture")
    for name in spread(sorted(sides["clean"]), limit):
        yield pack.image(f"clean/{name}"), pack.image(f"masked/{name}"), None
