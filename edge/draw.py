"""Annotated pictures: a box, five points and a label for each face, and what was painted.

Sizes follow the picture, so that a 300-pixel and a 12,000-pixel one look alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.frames import Frame
from edge.geometry import warp
from edge.lettering import plain, text_width, write
from edge.results import FaceResult, FrameResult, Painting

__all__ = ["annotate", "strip"]

_Picture = NDArray[np.uint8]
_Colour = tuple[int, int, int]
_Box = tuple[int, int, int, int]

#: BGR by mask state; they differ in lightness too, for those who see few colours.
_STATE_COLOURS: dict[str, _Colour] = {
    "masked": (196, 206, 64),
    "unmasked": (255, 184, 92),
    "incorrect": (64, 160, 255),
}
_PLATE: _Colour = (34, 27, 22)
_INK: _Colour = (252, 250, 248)
_DIM: _Colour = (206, 196, 186)
_MAP_TINT: _Colour = (196, 206, 64)


@dataclass(frozen=True, slots=True)
class _Scale:
    """Sizes in pixels that suit one picture: of lines, letters, and the space around them."""

    line: int
    text: int
    name: int
    pad: int
    gap: int
    leading: int
    bar: int

    @classmethod
    def of(cls, image: _Picture) -> _Scale:
        side = min(image.shape[:2])
        line, text = max(1, round(side / 420)), max(10, round(side / 34))
        return cls(
            line=line,
            text=text,
            name=round(text * 1.15),
            pad=round(text * 0.55),
            gap=round(text * 0.9),
            leading=round(text * 0.55),
            bar=max(2, line * 3),
        )


def annotate(frame: Frame, result: FrameResult) -> _Picture:
    """Draw a result over its frame.

    A small picture is first enlarged by a whole factor, so that the letters can be read; the
    numbers in ``result`` stay those of the frame.

    Args:
        frame: the frame that the result is about. Read only.
        result: its faces; none gives a plain copy.

    Returns:
        uint8 ``[k * H, k * W, 3]``, BGR, new memory; ``k`` is 1 from 360 pixels a side on.
    """
    zoom = _enlargement(frame.image)
    image = cv2.resize(frame.image, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC).astype(
        np.uint8, copy=False
    )
    scale = _Scale.of(image)
    faces = [_Drawn(face, _box(face, zoom)) for face in result.faces]
    taken = [face.box for face in faces]
    labels = [_place_label(image, face, scale, taken) for face in faces]
    for face in faces:
        _draw_box(image, face.box, face.colour, scale)
        _draw_points(image, face.result, scale, zoom)
    for face in faces:
        if face.result.painting is not None:
            _draw_inset(image, frame, face, scale, taken)
    for face, label in zip(faces, labels, strict=True):
        _draw_label(image, face, label, scale)
    return image


def strip(painting: Painting, frame: Frame, *, tile_px: int = 256) -> _Picture:
    """Show one reconstructed face three times: as seen, what covers it, as painted.

    Args:
        painting: of a face in ``frame``.
        tile_px: side of each of the three pictures.

    Returns:
        uint8 ``[h, 3 * tile_px + gaps, 3]``, BGR, with a word under each.
    """
    text = max(10, tile_px // 14)
    pad = max(2, tile_px // 32)
    height = tile_px + 2 * pad + text + pad
    image = np.empty((height, 3 * tile_px + 4 * pad, 3), np.uint8)
    image[:] = _PLATE
    for i, (word, tile) in enumerate(_tiles(painting, frame, tile_px)):
        x = pad + i * (tile_px + pad)
        image[pad : pad + tile_px, x : x + tile_px] = tile
        width = text_width(word, text)
        write(image, word, x + (tile_px - width) // 2, pad + tile_px + pad, text, _DIM)
    return image


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A face and its box in the pixels of the drawn picture."""

    result: FaceResult
    box: _Box

    @property
    def colour(self) -> _Colour:
        return _STATE_COLOURS.get(self.result.mask.state, _DIM)


def _enlargement(image: _Picture) -> int:
    short, long = min(image.shape[:2]), max(image.shape[:2])
    return int(max(1, min(-(-360 // short), 4096 // long)))


def _box(face: FaceResult, zoom: int) -> _Box:
    x, y, w, h = (round(v) for v in _clipped(face.detection.box_xywh, zoom).tolist())
    return x, y, max(w, 1), max(h, 1)


def _clipped(values: NDArray[np.float32], zoom: int) -> NDArray[np.float64]:
    """Bring frame pixels to drawn ones; what lies very far out is brought nearer, for OpenCV."""
    return np.clip(values.astype(np.float64) * zoom, -1e5, 1e5)


def _draw_box(image: _Picture, box: _Box, colour: _Colour, scale: _Scale) -> None:
    """Draw a thin frame with stronger corners, on a dark rim that parts it from any background."""
    x, y, w, h = box
    arm = max(2, round(min(w, h) * 0.16))
    corners = [
        np.array([(cx, cy + sy * arm), (cx, cy), (cx + sx * arm, cy)], np.int32)
        for cx, sx in ((x, 1), (x + w, -1))
        for cy, sy in ((y, 1), (y + h, -1))
    ]
    thin, strong, rim = scale.line, scale.line * 3, max(1, scale.line // 2) * 2
    cv2.rectangle(image, (x, y), (x + w, y + h), _PLATE, thin + rim, cv2.LINE_AA)
    cv2.polylines(image, corners, False, _PLATE, strong + rim, cv2.LINE_AA)
    cv2.rectangle(image, (x, y), (x + w, y + h), colour, thin, cv2.LINE_AA)
    cv2.polylines(image, corners, False, colour, strong, cv2.LINE_AA)


def _draw_points(image: _Picture, face: FaceResult, scale: _Scale, zoom: int) -> None:
    width = float(face.detection.box_xywh[2]) * zoom
    radius = float(np.clip(width / 60, scale.line, 6 * scale.line))
    for x, y in _clipped(face.detection.points_5x2 + np.float32(0.5), zoom).tolist():
        centre = (round(x * 8) - 4, round(y * 8) - 4)
        rim = round((radius + scale.line * 0.8) * 8)
        cv2.circle(image, centre, rim, _PLATE, -1, cv2.LINE_AA, 3)
        cv2.circle(image, centre, round(radius * 8), _INK, -1, cv2.LINE_AA, 3)


def _lines(face: FaceResult) -> tuple[str, str, str]:
    """Return the name, what stands beside it, and the line under both."""
    identity = face.identity
    name = "face" if identity is None else identity.person or "unknown"
    beside = "" if identity is None else f"sim {identity.similarity:.2f}"
    if face.track is not None:
        beside = f"#{face.track}  {beside}".rstrip()
    below = face.mask.state if face.mask.state != "incorrect" else "mask worn incorrectly"
    if face.emotion is not None:
        below += f"  {face.emotion.label}"
    if face.gender is not None:
        below += f"  {face.gender.label}"
    return plain(name), beside, below


def _place_label(image: _Picture, face: _Drawn, scale: _Scale, taken: list[_Box]) -> _Box:
    """Choose a place for the plate, above the box if that is free, and take it."""
    name, beside, below = _lines(face.result)
    top_width = text_width(name, scale.name, bold=True)
    if beside:
        top_width += scale.gap + text_width(beside, scale.text)
    width = scale.bar + 2 * scale.pad + max(top_width, text_width(below, scale.text))
    height = 2 * scale.pad + scale.name + scale.leading + scale.text
    x, y, w, h = face.box
    space = scale.line * 3
    above, below_it = (x, y - height - space), (x, y + h + space)
    spots = [above, below_it, (x + w + space, y), (x - width - space, y)]
    return _take(image, [((width, height), spot) for spot in spots], taken)


def _draw_label(image: _Picture, face: _Drawn, label: _Box, scale: _Scale) -> None:
    """Draw name and cosine, and under them the mask's state and the emotion."""
    name, beside, below = _lines(face.result)
    x, y, _, height = label
    _plate(image, label)
    _clip(image, (x, y, scale.bar, height))[:] = face.colour
    left, top = x + scale.bar + scale.pad, y + scale.pad
    write(image, name, left, top, scale.name, _INK, bold=True)
    after = left + text_width(name, scale.name, bold=True) + scale.gap
    write(image, beside, after, top + scale.name - scale.text, scale.text, _DIM)
    write(image, below, left, top + scale.name + scale.leading, scale.text, face.colour)


def _draw_inset(
    image: _Picture, frame: Frame, face: _Drawn, scale: _Scale, taken: list[_Box]
) -> None:
    """Draw "seen, map, painted" near the box, as large as there is room for."""
    assert face.result.painting is not None
    x, y, w, h = face.box
    pad, text = max(3, scale.pad * 2 // 3), round(scale.text * 0.85)
    space = scale.line * 3
    least = text_width("painted", text)
    most = int(max(least, min(h * 0.6, image.shape[0] / 4, (image.shape[1] - 4 * pad) / 3)))
    spots = []
    for tile in (max(least, most * share // 100) for share in (100, 80, 64, 52)):
        across = (3 * tile + 4 * pad, tile + 2 * pad + text)
        down = (tile + 2 * pad, 3 * (tile + pad + text) + pad)
        spots += [
            (across, (x + w // 2 - across[0] // 2, y + h + space)),
            (down, (x + w + space, y + h - down[1])),
            (down, (x - down[0] - space, y + h - down[1])),
            (across, (x + w + space, y + h - across[1])),
            (across, (x - across[0] - space, y + h - across[1])),
            (across, (x + w // 2 - across[0] // 2, y - across[1] - space)),
        ]
    box = _take(image, spots, taken)
    left, top, width, height = box
    tile = min((width - 4 * pad) // 3, height) if width > height else width - 2 * pad
    _plate(image, box)
    for i, (word, picture) in enumerate(_tiles(face.result.painting, frame, tile)):
        tile_x = left + pad + (i * (tile + pad) if width > height else 0)
        tile_y = top + pad + (i * (tile + pad + text) if width <= height else 0)
        part = _clip(image, (tile_x, tile_y, tile, tile))
        part[:] = picture[: part.shape[0], : part.shape[1]]
        word_x = tile_x + (tile - text_width(word, text)) // 2
        write(image, word, word_x, tile_y + tile + pad // 2, text, _DIM)


def _tiles(painting: Painting, frame: Frame, tile_px: int) -> list[tuple[str, _Picture]]:
    seen = np.empty_like(painting.image_bgr)
    warp(frame.image, painting.matrix, seen, replicate=True)
    covered = (painting.map_u8 > 0).astype(np.float32)[..., None]
    grey = cv2.cvtColor(cv2.cvtColor(seen, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    tinted = 0.35 * grey + 0.65 * np.array(_MAP_TINT, np.float32)
    mapped = (0.75 * grey * (1 - covered) + tinted * covered).astype(np.uint8)
    flags = cv2.INTER_AREA if tile_px < seen.shape[0] else cv2.INTER_CUBIC
    words = ("seen", "map", "painted")
    return [
        (word, cv2.resize(tile, (tile_px, tile_px), interpolation=flags).astype(np.uint8))
        for word, tile in zip(words, (seen, mapped, painting.image_bgr), strict=True)
    ]


def _plate(image: _Picture, box: _Box) -> None:
    """Darken a rectangle so that letters on it are legible over anything."""
    part = _clip(image, box)
    part[:] = (part * 0.14 + np.array(_PLATE, np.float32) * 0.86).astype(np.uint8)


def _clip(image: _Picture, box: _Box) -> _Picture:
    """Return the part of the picture that a box covers, as a view; it may be empty."""
    x, y, w, h = box
    return image[max(y, 0) : max(y + h, 0), max(x, 0) : max(x + w, 0)]


def _take(
    image: _Picture, choices: list[tuple[tuple[int, int], tuple[int, int]]], taken: list[_Box]
) -> _Box:
    """Choose the first (size, place), moved inside the picture, that hides least; take it."""
    height, width = image.shape[:2]
    boxes = [
        (max(0, min(x, width - w)), max(0, min(y, height - h)), w, h) for (w, h), (x, y) in choices
    ]
    best = min(boxes, key=lambda box: _overlap(box, taken))
    taken.append(best)
    return best


def _overlap(box: _Box, taken: list[_Box]) -> int:
    x, y, w, h = box
    return sum(
        max(0, min(x + w, tx + tw) - max(x, tx)) * max(0, min(y + h, ty + th) - max(y, ty))
        for tx, ty, tw, th in taken
    )
