"""What the networks see in a race: drawn faces, the same on every board.

What a convolution takes does not depend on its input; how near two engines' answers are does, and
there noise would tell less than a face.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.contract import Contract
from edge.engines.base import Engine, slot
from edge.frames import Frame
from edge.results import Detection
from edge.sources.synthetic import SyntheticSource
from edge.stages.base import crop_matrix, fill_picture, store_bytes

__all__ = ["Scene", "draw_scenes", "fill_map", "show"]

_URI = "synthetic://?faces=1&masked={masked}&frames={count}&seed=7"
#: Side of a face's box against the distance of its eyes, as the detector boxes faces, roughly.
_SIDE = 2.4


@dataclass(frozen=True, slots=True)
class Scene:
    """A frame with one face.

    Attributes:
        frame: 640 x 480 pixels.
        face: where it was drawn.
    """

    frame: Frame
    face: Detection


def draw_scenes(count: int) -> list[Scene]:
    """Draw so many frames of one face that moves; half of them of one that wears a mask.

    A network that looks for what covers a face answers next to nothing without, and two answers of
    nothing are like each other or not by chance.
    """
    return [*_draw(count - count // 2, masked=0), *_draw(count // 2, masked=1)]


def _draw(count: int, *, masked: int) -> list[Scene]:
    if not count:
        return []
    with SyntheticSource(_URI.format(count=count, masked=masked)) as source:
        return [
            Scene(frame, _face(source.points(frame.index)[0]))
            for frame in itertools.islice(source, count)
        ]


def _face(points: NDArray[np.float64]) -> Detection:
    side = _SIDE * float(np.linalg.norm(points[1] - points[0]))
    left, top = points.mean(axis=0) - side / 2
    return Detection(
        box_xywh=np.array([left, top, side, side], np.float32),
        score=1.0,
        points_5x2=points.astype(np.float32),
    )


def show(contract: Contract, engine: Engine, scene: Scene) -> None:
    """Warp a scene into a network's picture, as its stage does."""
    image = scene.frame.image
    matrix = crop_matrix(contract, image.shape[:2], scene.face)
    picture = slot(engine, engine.inputs[0], 0)
    fill_picture(contract.inputs[0], image, matrix, picture, replicate=contract.crop.replicate)


def fill_map(contract: Contract, engine: Engine) -> None:
    """Fill what a network reads beside its picture: a map that covers the lower half."""
    for spec, array in zip(contract.inputs[1:], engine.inputs[1:], strict=True):
        covered: NDArray[Any] = np.zeros(spec.shape, np.uint8)
        covered[:, spec.shape[1] // 2 :] = 255
        store_bytes(spec, covered, slot(engine, array, 0))
