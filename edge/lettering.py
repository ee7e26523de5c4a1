"""Letters on a picture: OpenCV's own strokes, drawn large and averaged down to be smooth."""

from __future__ import annotations

import unicodedata

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["plain", "text_width", "write"]

_FONT = cv2.FONT_HERSHEY_SIMPLEX
#: Letters are drawn so many times larger and averaged down: small ones would be ragged.
_OVERSAMPLE = 4
#: Pixels from the descender to the cap line of OpenCV's letters at scale 1, and to the baseline.
_HEIGHT, _BASELINE = 29, 22


def plain(text: str) -> str:
    """Return the nearest ASCII that OpenCV's letters have; é becomes e, what has none ``?``."""
    folded = unicodedata.normalize("NFKD", text)
    letters = (c for c in folded if not unicodedata.combining(c))
    plain = "".join(c if " " <= c <= "~" else "?" for c in letters)
    return plain if len(plain) <= 32 else plain[:29] + "..."


def text_width(text: str, height_px: int, *, bold: bool = False) -> int:
    """Return how many pixels wide ``write`` makes a text."""
    zoom, thick = _pen(height_px, bold)
    (width, _), _ = cv2.getTextSize(text, _FONT, zoom, thick)
    return -(-width // _OVERSAMPLE)


def _pen(height_px: int, bold: bool) -> tuple[float, int]:
    """Return the font scale and pen width for letters with this height, ascender to descender."""
    large = height_px * _OVERSAMPLE
    return large / _HEIGHT, max(1, round(large / (9.5 if bold else 14)))


def write(
    image: NDArray[np.uint8],
    text: str,
    x: int,
    y: int,
    height_px: int,
    colour: tuple[int, int, int],
    *,
    bold: bool = False,
) -> None:
    """Write a line of ASCII text; what lies beyond the picture is cut.

    Args:
        image: uint8 ``[H, W, 3]``, BGR; drawn into.
        x, y: of the text's upper left corner, in pixels.
        height_px: from the top of a capital to the foot of a ``g``.
        colour: BGR.
    """
    width = text_width(text, height_px, bold=bold)
    part = image[max(y, 0) : max(y + height_px, 0), max(x, 0) : max(x + width, 0)]
    if part.size == 0:
        return
    zoom, thick = _pen(height_px, bold)
    large = np.zeros((height_px * _OVERSAMPLE, width * _OVERSAMPLE), np.uint8)
    baseline = round(_BASELINE * zoom)
    cv2.putText(large, text, (0, baseline), _FONT, zoom, 255, thick, cv2.LINE_AA)
    small = cv2.resize(large, (width, height_px), interpolation=cv2.INTER_AREA)
    x0, y0 = max(-x, 0), max(-y, 0)
    opacity = small[y0 : y0 + part.shape[0], x0 : x0 + part.shape[1], None].astype(np.float32) / 255
    part[:] = (part + (np.array(colour, np.float32) - part) * opacity).astype(np.uint8)
