"""A head and shoulders, drawn: skin with light on it, eyes, brows, nose, mouth, hair, a mask.

Not a photograph, and near enough to one in its light and shade that a detector trained on
photographs has a chance. Everything is drawn in one square sprite with fixed places.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["POINTS_5X2", "SPRITE_PX", "draw_backdrop", "draw_bust"]

SPRITE_PX = 384
#: Eye, eye, nose tip, mouth corner, mouth corner, in sprite pixels.
POINTS_5X2 = np.array([[156, 176], [228, 176], [192, 220], [163, 257], [221, 257]], np.float64)

_Canvas = NDArray[np.float32]
_Colour = tuple[float, float, float]
_Points = Sequence[tuple[float, float]]
_X, _Y = np.meshgrid(np.arange(SPRITE_PX, dtype=np.float32), np.arange(SPRITE_PX, dtype=np.float32))

_SKINS = ((166, 192, 232), (132, 166, 216), (102, 138, 196), (70, 102, 158), (50, 72, 112))
_HAIRS = ((24, 26, 30), (32, 46, 70), (48, 78, 120), (70, 120, 170), (90, 92, 96))
_IRISES = ((40, 56, 84), (96, 112, 70), (140, 104, 62))
_CLOTHES = ((92, 70, 44), (60, 60, 128), (84, 104, 60), (70, 70, 74), (150, 140, 126))
#: Less opacity than this changes no float32 of a canvas.
_UNSEEN = 1e-10
_MASKS = ((212, 184, 148), (236, 234, 230), (52, 48, 46))


def draw_bust(
    rng: np.random.Generator, *, masked: bool
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw one person.

    Args:
        rng: chooses skin, hair, eyes, clothes.
        masked: put a mask over nose, mouth and chin.

    Returns:
        uint8 ``[S, S, 3]`` BGR and uint8 ``[S, S]`` opacity, ``S = SPRITE_PX``.
    """
    skin, hair, iris, cloth = (
        _scaled(table[rng.integers(len(table))], rng.uniform(0.92, 1.06))
        for table in (_SKINS, _HAIRS, _IRISES, _CLOTHES)
    )
    cover = _scaled(_MASKS[rng.integers(len(_MASKS))], 1.0)
    long_hair = bool(rng.integers(2))
    canvas = np.empty((SPRITE_PX, SPRITE_PX, 3), np.float32)
    canvas[:] = hair
    alpha = np.zeros((SPRITE_PX, SPRITE_PX), np.float32)

    _draw_hair_behind(canvas, alpha, hair, long_hair=long_hair)
    _draw_body(canvas, alpha, skin, cloth)
    _draw_head(canvas, alpha, skin)
    _draw_eyes(canvas, iris, hair)
    _draw_nose(canvas, skin)
    _draw_mouth(canvas, skin)
    _draw_hair_before(canvas, alpha, hair, rng)
    if masked:
        _draw_mask(canvas, cover)
    canvas += _texture(rng, 1.6)[..., None]
    alpha *= np.clip((SPRITE_PX - 4 - _Y) / 28, 0, 1)  # no hard edge where the sprite ends
    return np.clip(canvas, 0, 255).astype(np.uint8), (alpha * 255).astype(np.uint8)


def draw_backdrop(width: int, height: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw a soft, out-of-focus room: uint8 ``[height, width, 3]``, BGR."""
    coarse = np.empty((4, 6, 3), np.float32)
    coarse[:] = rng.uniform(96, 150) + rng.uniform(-14, 14, 3)
    coarse += rng.normal(0, 9, (4, 6, 1))
    coarse -= np.linspace(-10, 26, 4)[:, None, None]
    image = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(image, 0, 255).astype(np.uint8)


def _scaled(colour: _Colour, factor: float) -> _Colour:
    b, g, r = (v * factor for v in colour)
    return b, g, r


def _paint(canvas: _Canvas, colour: _Colour, opacity: NDArray[Any]) -> None:
    """Lay a colour on, in the rectangle where it is seen: a shape is a small part of the sprite."""
    seen = opacity > _UNSEEN
    rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
    if not rows.size:
        return
    place = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    part, share = canvas[place], opacity[place]
    for channel, value in enumerate(colour):
        part[..., channel] += (np.float32(value) - part[..., channel]) * share


def _ellipse(x: float, y: float, a: float, b: float, *, soft: float = 1.0) -> NDArray[np.float32]:
    """Return 1 within the ellipse, 0 beyond, with a rim ``soft`` pixels wide."""
    radius = np.sqrt(((_X - x) / a) ** 2 + ((_Y - y) / b) ** 2)
    return np.clip((1 - radius) * min(a, b) / soft + 0.5, 0, 1)


def _glow(x: float, y: float, a: float, b: float) -> NDArray[np.float32]:
    return np.exp(-0.5 * (((_X - x) / a) ** 2 + ((_Y - y) / b) ** 2))


def _polygon(points: _Points, *, soft: float = 0.8) -> NDArray[np.float32]:
    """Return a filled closed curve through the points (Catmull-Rom), with a soft rim."""
    p = np.array(points, np.float64)
    t = np.linspace(0, 1, 12, endpoint=False)[:, None]
    before, after, beyond = np.roll(p, 1, 0), np.roll(p, -1, 0), np.roll(p, -2, 0)
    curve = [
        0.5
        * (
            2 * p[i]
            + (after[i] - before[i]) * t
            + (2 * before[i] - 5 * p[i] + 4 * after[i] - beyond[i]) * t**2
            + (3 * p[i] - before[i] - 3 * after[i] + beyond[i]) * t**3
        )
        for i in range(len(p))
    ]
    filled = np.zeros((SPRITE_PX, SPRITE_PX), np.uint8)
    outline = np.rint(np.concatenate(curve) * 16).astype(np.int32)
    cv2.fillPoly(filled, [outline], 255, cv2.LINE_AA, 4)
    return cv2.GaussianBlur(filled.astype(np.float32) / 255, (0, 0), soft).astype(np.float32)


def _mirrored(half: _Points) -> _Points:
    """Complete a right half, given from top to bottom, by its mirror image about x = 192."""
    return [*half, *[(384 - x, y) for x, y in reversed(half) if x != 192]]


def _at(x: float, y: float, mirror: int, points: _Points) -> _Points:
    """Move points to (x, y); ``mirror`` -1 turns them about it."""
    return [(x + mirror * dx, y + dy) for dx, dy in points]


def _texture(rng: np.random.Generator, sigma: float) -> NDArray[np.float32]:
    noise = rng.normal(0, sigma * 2, (SPRITE_PX, SPRITE_PX)).astype(np.float32)
    return cv2.GaussianBlur(noise, (0, 0), 0.8).astype(np.float32)


_HEAD = _mirrored(
    [(192, 84), (232, 91), (262, 118), (273, 160), (271, 205), (262, 244), (242, 277), (214, 297),
     (192, 300)]
)  # fmt: skip


def _draw_hair_behind(
    canvas: _Canvas, alpha: NDArray[np.float32], hair: _Colour, *, long_hair: bool
) -> None:
    if long_hair:
        half = [(192, 50), (246, 58), (286, 96), (298, 160), (294, 270), (270, 330), (192, 320)]
    else:
        half = [(192, 50), (244, 60), (278, 100), (283, 150), (270, 184), (192, 190)]
    shape = _mirrored(half)
    opacity = _polygon(shape, soft=1.5)
    _paint(canvas, _scaled(hair, 0.7), opacity)
    np.maximum(alpha, opacity, out=alpha)


def _draw_body(canvas: _Canvas, alpha: NDArray[np.float32], skin: _Colour, cloth: _Colour) -> None:
    neck = _polygon(_mirrored([(192, 262), (228, 262), (230, 312), (250, 345), (192, 372)]))
    _paint(canvas, _scaled(skin, 0.82), neck)
    _paint(canvas, _scaled(skin, 0.42), neck * _glow(192, 292, 60, 20) * 0.75)
    body = _polygon(
        _mirrored(
            [(192, 362), (222, 352), (246, 334), (300, 346), (352, 366), (380, 420), (192, 430)]
        )
    )
    _paint(canvas, cloth, body)
    _paint(canvas, _scaled(cloth, 0.6), body * np.clip((_X - 150) / 330, 0, 0.7))
    _paint(canvas, _scaled(cloth, 1.25), body * _glow(110, 356, 60, 14) * 0.5)
    np.maximum(alpha, np.maximum(neck, body), out=alpha)


def _draw_head(canvas: _Canvas, alpha: NDArray[np.float32], skin: _Colour) -> None:
    for side in (-1, 1):
        ear = _ellipse(192 + side * 80, 192, 13, 25, soft=1.5)
        _paint(canvas, _scaled(skin, 0.86), ear)
        _paint(canvas, _scaled(skin, 0.55), ear * _glow(192 + side * 79, 192, 5, 13) * 0.6)
        np.maximum(alpha, ear, out=alpha)
    head = _polygon(_HEAD, soft=1.0)
    _paint(canvas, skin, head)
    # An ellipsoid under a light from the upper left.
    dx, dy = (_X - 192) / 96, (_Y - 190) / 124
    dz = np.sqrt(np.clip(1 - dx**2 - dy**2, 0.02, 1))
    light = 0.62 + 0.5 * np.clip(-0.38 * dx - 0.34 * dy + 0.86 * dz, 0, 1)
    canvas *= 1 + (light[..., None] - 1) * head[..., None]
    for side in (-1, 1):
        _paint(canvas, _scaled(skin, 0.52), head * _glow(192 + side * 36, 168, 22, 11) * 0.5)
        red = (skin[0] * 0.78, skin[1] * 0.80, skin[2] * 1.02)
        _paint(canvas, red, head * _glow(192 + side * 48, 222, 20, 15) * 0.42)
        _paint(canvas, _scaled(skin, 1.16), head * _glow(192 + side * 46, 203, 16, 8) * 0.4)
    _paint(canvas, _scaled(skin, 1.2), head * _glow(182, 118, 42, 18) * 0.5)
    _paint(canvas, _scaled(skin, 1.12), head * _glow(190, 282, 15, 8) * 0.5)
    _paint(canvas, _scaled(skin, 0.6), head * _glow(192, 271, 20, 4) * 0.45)
    np.maximum(alpha, head, out=alpha)


def _draw_eyes(canvas: _Canvas, iris: _Colour, hair: _Colour) -> None:
    white = [(-18, 1), (-8, -7), (6, -7.5), (18, 0), (7, 7), (-7, 7)]
    lashes = [(-20, 1), (-9, -8.5), (6, -9.5), (20, -1), (7, -6), (-8, -5)]
    crease = [(-18, -11), (0, -16), (18, -12), (0, -14)]
    brow = [(-21, -18), (-19, -25), (6, -32), (26, -23), (6, -25)]
    for x, out in ((156.0, -1), (228.0, 1)):
        y = 176.0
        eye = _polygon(_at(x, y, 1, white))
        ring = _ellipse(x, y, 8.8, 8.8) - _ellipse(x, y, 6.6, 6.6, soft=2)
        _paint(canvas, (222, 226, 230), eye)
        _paint(canvas, iris, eye * _ellipse(x, y, 8.6, 8.6, soft=1.6))
        _paint(canvas, _scaled(iris, 0.45), eye * ring)
        _paint(canvas, (12, 12, 12), eye * _ellipse(x, y, 3.9, 3.9))
        _paint(canvas, (250, 250, 250), _ellipse(x - 3, y - 3.4, 1.9, 1.9))
        _paint(canvas, (60, 60, 70), eye * np.clip((y - 2 - _Y) / 6, 0, 1) * 0.55)
        _paint(canvas, (22, 24, 32), _polygon(_at(x, y, 1, lashes)) * 0.9)
        _paint(canvas, (30, 40, 66), _polygon(_at(x, y, 1, crease), soft=1.2) * 0.5)
        _paint(canvas, _scaled(hair, 0.72), _polygon(_at(x, y, out, brow), soft=1.4) * 0.92)


def _draw_nose(canvas: _Canvas, skin: _Colour) -> None:
    _paint(canvas, _scaled(skin, 1.2), _glow(190, 192, 5.5, 20) * 0.45)
    _paint(canvas, _scaled(skin, 1.24), _glow(190, 216, 8, 6) * 0.5)
    _paint(canvas, _scaled(skin, 0.62), _glow(206, 206, 5, 20) * 0.38)
    for side in (-1, 1):
        _paint(canvas, _scaled(skin, 0.55), _glow(192 + side * 17, 222, 4, 7) * 0.5)
        nostril = _ellipse(192 + side * 8.5, 228.5, 5.2, 2.6, soft=2)
        _paint(canvas, _scaled(skin, 0.22), nostril * 0.85)
    _paint(canvas, _scaled(skin, 0.58), _glow(194, 235, 19, 4) * 0.5)


def _draw_mouth(canvas: _Canvas, skin: _Colour) -> None:
    lip = (skin[0] * 0.62, skin[1] * 0.56, skin[2] * 0.86)
    upper = _polygon(
        [(162, 257), (178, 251), (187, 248.5), (192, 250), (197, 248.5), (206, 251), (222, 257),
         (192, 258.5)]
    )  # fmt: skip
    lower = _polygon([(163, 257.5), (192, 259), (221, 257.5), (207, 267), (192, 270), (177, 267)])
    _paint(canvas, _scaled(lip, 0.86), upper)
    _paint(canvas, lip, lower)
    _paint(canvas, _scaled(lip, 1.35), lower * _glow(188, 263, 12, 2.6) * 0.6)
    line = _polygon(
        [(160, 256), (178, 257), (192, 258), (206, 257), (224, 256), (206, 259), (192, 260),
         (178, 259)]
    )  # fmt: skip
    _paint(canvas, _scaled(lip, 0.3), line * 0.85)


def _draw_hair_before(
    canvas: _Canvas, alpha: NDArray[np.float32], hair: _Colour, rng: np.random.Generator
) -> None:
    cap = _polygon(
        [(113, 182), (106, 168), (98, 120), (130, 66), (192, 46), (252, 64), (286, 118), (278, 168),
         (271, 182), (266, 150), (246, 116), (206, 110), (160, 102), (128, 124), (118, 152)],
        soft=1.6,
    )  # fmt: skip
    _paint(canvas, hair, cap)
    # Strands: noise drawn out along circles about the crown's foot.
    angle = np.arctan2(_Y - 190, _X - 192)
    strand = rng.normal(0, 1, 720).astype(np.float32)
    tone = np.interp(angle, np.linspace(-np.pi, np.pi, 720), strand).astype(np.float32)
    canvas *= 1 + (0.09 * tone * cap)[..., None]
    _paint(canvas, _scaled(hair, 2.0), cap * _glow(158, 78, 40, 12) * 0.35)
    np.maximum(alpha, cap, out=alpha)


def _draw_mask(canvas: _Canvas, cover: _Colour) -> None:
    for side in (-1, 1):
        for y, to in ((206, 172), (268, 214)):
            strap = np.zeros((SPRITE_PX, SPRITE_PX), np.uint8)
            cv2.line(strap, (192 + side * 66, y), (192 + side * 84, to), 255, 3, cv2.LINE_AA)
            _paint(canvas, _scaled(cover, 0.9), strap.astype(np.float32) / 255)
    shape = _polygon(
        _mirrored(
            [(192, 191), (214, 198), (246, 204), (262, 210), (260, 240), (247, 272), (222, 300),
             (192, 308)]
        )
    )  # fmt: skip
    shadow = np.roll(cv2.GaussianBlur(shape, (0, 0), 4), 3, axis=0).astype(np.float32)
    _paint(canvas, (24, 26, 34), shadow * _polygon(_HEAD) * 0.35)
    _paint(canvas, cover, shape)
    shade = np.clip(np.abs(_X - 186) / 74, 0, 1) ** 2
    _paint(canvas, _scaled(cover, 0.55), shape * shade * 0.8)
    _paint(canvas, _scaled(cover, 1.12), shape * _glow(182, 224, 22, 18) * 0.6)
    for y in (228, 248, 268):
        bend = y + 8 * (1 - ((_X - 192) / 72) ** 2)
        _paint(canvas, _scaled(cover, 0.62), shape * np.exp(-(((_Y - bend) / 1.6) ** 2)) * 0.6)
        _paint(canvas, _scaled(cover, 1.15), shape * np.exp(-(((_Y - bend - 4) / 2) ** 2)) * 0.4)
    _paint(canvas, _scaled(cover, 0.75), shape * _glow(192, 304, 60, 6) * 0.6)
