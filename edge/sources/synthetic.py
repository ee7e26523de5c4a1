"""Frames with drawn, moving faces: a source that every machine has.

``synthetic://?faces=1&masked=1&frames=3&width=640&height=480&seed=0``. The same URI gives the
same pixels everywhere. Without ``frames`` it has no end.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import UsageError
from edge.frames import Frame
from edge.geometry import transform_points
from edge.query import read_query
from edge.settings import setting
from edge.sources.base import Source
from edge.sources.cartoon import POINTS_5X2, SPRITE_PX, draw_backdrop, draw_bust

__all__ = ["SyntheticSource"]


@dataclass(frozen=True, slots=True)
class _Scene:
    """What is drawn."""

    faces: int = setting(1, "number of people", low=0, high=16)
    masked: int = setting(0, "how many of them wear a mask", low=0, high=16)
    frames: int = setting(0, "number of frames; without it there is no end", low=1, high=10**9)
    width: int = setting(640, "in pixels", low=16, high=8192)
    height: int = setting(480, "in pixels", low=16, high=8192)
    seed: int = setting(0, "of what the people look like", low=0, high=2**32 - 1)


@dataclass(frozen=True, slots=True)
class _Actor:
    """One drawn person: its pixels, and how it moves about its place in the frame."""

    bgr: NDArray[np.uint8]
    alpha: NDArray[np.uint8]
    centre: tuple[float, float]
    zoom: float
    reach_px: tuple[float, float]
    phase: float

    def matrix(self, index: int) -> NDArray[np.float64]:
        """Return float64 ``[2, 3]`` from sprite to frame pixels at frame ``index``."""
        t = 0.12 * index + self.phase
        angle = math.radians(7) * math.sin(0.7 * t)
        zoom = self.zoom * (1 + 0.06 * math.sin(0.45 * t + 1))
        x = self.centre[0] + self.reach_px[0] * math.sin(t)
        y = self.centre[1] + self.reach_px[1] * math.sin(1.3 * t + 2)
        cos, sin = zoom * math.cos(angle), zoom * math.sin(angle)
        middle = SPRITE_PX / 2
        return np.array(
            [
                [cos, -sin, x - cos * middle + sin * middle],
                [sin, cos, y - sin * middle - cos * middle],
            ]
        )


class SyntheticSource(Source):
    """Drawn people before a soft backdrop; the first ``masked`` of them wear a mask.

    Raises:
        UsageError: a key is unknown, or its value out of range.
    """

    def __init__(self, uri: str) -> None:
        super().__init__(uri)
        scene = _read(uri)
        self.total = scene.frames or None
        self.live = self.total is None
        self._size = (scene.width, scene.height)
        rng = np.random.default_rng(scene.seed)
        self._backdrop = draw_backdrop(*self._size, rng)
        self._actors = [
            _place(i, scene.faces, self._size, masked=i < scene.masked, rng=rng)
            for i in range(scene.faces)
        ]

    def points(self, index: int) -> list[NDArray[np.float64]]:
        """Return where each face's five points are in frame ``index``: float64 ``[5, 2]`` each."""
        return [transform_points(actor.matrix(index), POINTS_5X2) for actor in self._actors]

    def _frames(self) -> Iterator[Frame]:
        for index in itertools.count() if self.total is None else range(self.total):
            image = self._backdrop.copy()
            for actor in self._actors:
                _lay_over(image, actor, index)
            yield Frame(image=image, index=index, captured_ns=time.monotonic_ns(), source=self.uri)


def _lay_over(image: NDArray[np.uint8], actor: _Actor, index: int) -> None:
    """Draw one person into the frame, only where it touches it."""
    matrix = actor.matrix(index)
    corners = np.array([[0, 0], [SPRITE_PX, 0], [0, SPRITE_PX], [SPRITE_PX, SPRITE_PX]])
    quad = transform_points(matrix, corners)
    height, width = image.shape[:2]
    x0, y0 = (int(v) for v in np.clip(np.floor(quad.min(0)), 0, (width, height)))
    x1, y1 = (int(v) for v in np.clip(np.ceil(quad.max(0)), 0, (width, height)))
    if x1 <= x0 or y1 <= y0:
        return
    local = matrix.copy()
    local[:, 2] -= (x0, y0)
    size = (x1 - x0, y1 - y0)
    flags = cv2.INTER_AREA if actor.zoom < 0.6 else cv2.INTER_LINEAR
    bgr = cv2.warpAffine(actor.bgr, local, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    alpha = cv2.warpAffine(actor.alpha, local, size, flags=flags)[..., None].astype(np.uint16)
    part = image[y0:y1, x0:x1]
    part[:] = (bgr * alpha + part * (255 - alpha) + 127) // 255


def _place(
    i: int, count: int, size: tuple[int, int], *, masked: bool, rng: np.random.Generator
) -> _Actor:
    """Give person ``i`` of ``count`` a column (or, for many, a cell) of the frame."""
    width, height = size
    columns = math.ceil(math.sqrt(count * width / height)) if count > 3 else max(count, 1)
    rows = math.ceil(count / columns)
    cell_w, cell_h = width / columns, height / rows
    side = min(cell_w * 1.15, cell_h)
    bgr, alpha = draw_bust(rng, masked=masked)
    return _Actor(
        bgr=bgr,
        alpha=alpha,
        centre=((i % columns + 0.5) * cell_w, (i // columns + 0.5) * cell_h + side * 0.07),
        zoom=1.05 * side / SPRITE_PX,
        reach_px=(0.07 * cell_w, 0.03 * cell_h),
        phase=float(rng.uniform(0, 2 * math.pi)),
    )


def _read(uri: str) -> _Scene:
    """Read the URI; everything in it is checked before anything is allocated."""
    place, scene = read_query(uri, _Scene, code="source.query")
    rest = place.partition("://")[2]
    if rest.strip("/"):
        raise UsageError(
            f"{place}: {rest!r} means nothing here",
            hint="write synthetic://?faces=1",
            code="source.query",
        )
    if scene.masked > scene.faces:
        raise UsageError(
            f"{place}: {scene.masked} masked of {scene.faces} faces",
            hint="masked is at most faces",
            code="source.query",
        )
    return scene
