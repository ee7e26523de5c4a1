"""The one face of a picture, fit to be enrolled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.errors import DataError
from edge.frames import Frame
from edge.pipeline import Pipeline
from edge.sources.image import read_picture

__all__ = ["MIN_FACE_PX", "Enrolment", "single_face"]

#: Longer side of the smallest box that is enrolled; a template of fewer pixels matches anybody.
MIN_FACE_PX = 40


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What a gallery keeps of a picture: the embedding, and whether the face wore a mask."""

    embedding: NDArray[np.float32]
    masked: bool


def single_face(pipeline: Pipeline, path: str) -> Enrolment:
    """Read a picture and embed its face by the route of its mask state.

    Args:
        pipeline: opened with ``embeddings=True``.
        path: of the picture.

    Raises:
        MissingInput: there is no such file.
        DataError: it is no picture, has no face or several, or one that is too small.
    """
    frame = Frame(image=read_picture(path), index=0, captured_ns=0, source=path)
    faces = pipeline.run(frame).faces
    if len(faces) != 1:
        raise DataError(
            f"{path}: {len(faces) or 'no'} face{'s' if faces else ''} found",
            hint="give a picture with exactly one face, seen from the front",
            code="enrol.count",
        )
    face = faces[0]
    side = float(max(face.detection.box_xywh[2:]))
    if side < MIN_FACE_PX:
        raise DataError(
            f"{path}: the face is {side:.0f} px large, the least is {MIN_FACE_PX}",
            hint="give a picture taken from nearer",
            code="enrol.small",
        )
    if face.embedding is None:
        raise DataError(f"{path}: the face has no embedding", code="enrol.embedding")
    return Enrolment(face.embedding, masked=face.mask.state != "unmasked")
