"""The picture that a network reads: its size, colour and scale, and how a frame gets into it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from edge.geometry import letterbox_matrix, warp

__all__ = ["Arrays", "Picture", "Run", "fitted", "rectangle", "stretched"]

#: Inputs or outputs of one run, in the order of the network's own file.
Arrays = tuple[NDArray[np.float32], ...]
#: Compute a network once. Pictures go in channels last, whatever the file's own layout is, as
#: real values (``Picture.real``); outputs come out as real values, shaped as in the file.
Run = Callable[[Arrays], Arrays]

_COLOURS = {"BGR": None, "RGB": cv2.COLOR_BGR2RGB, "GREY": cv2.COLOR_BGR2GRAY}


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture input; real value = ``(byte - mean) / std``.

    Attributes:
        height, width: in pixels.
        colour: ``BGR``, ``RGB`` or ``GREY``.
        mean, std: of all channels alike, in bytes.
    """

    height: int
    width: int
    colour: str
    mean: float
    std: float

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width."""
        return self.height, self.width

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Batch, height, width, channels."""
        return 1, self.height, self.width, 1 if self.colour == "GREY" else 3

    def real(self, pixels_bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Turn pixels into what the network reads.

        Args:
            pixels_bgr: uint8 ``[height, width, 3]``, BGR.

        Returns:
            float32 ``[1, height, width, C]``, new memory.
        """
        code = _COLOURS[self.colour]
        pixels = pixels_bgr if code is None else cv2.cvtColor(pixels_bgr, code)
        values = pixels.reshape(1, *pixels_bgr.shape[:2], -1).astype(np.float32)
        values -= np.float32(self.mean)
        values /= np.float32(self.std)
        return values


def fitted(
    image: NDArray[np.uint8], size_hw: tuple[int, int], *, enlarge: bool = True
) -> tuple[NDArray[np.uint8], float]:
    """Fit a whole frame into a size at its upper left, black beside it.

    Args:
        image: uint8 ``[H, W, 3]``, BGR.
        size_hw: height and width to fill.
        enlarge: a frame that is smaller grows; else it keeps its size.

    Returns:
        uint8 ``[*size_hw, 3]``, and how many of its pixels a pixel of the frame is.
    """
    matrix = letterbox_matrix(image.shape[0], image.shape[1], *size_hw)
    if not enlarge and matrix[0, 0] > 1:
        matrix = np.eye(2, 3)
    pixels = np.empty((*size_hw, 3), np.uint8)
    warp(image, matrix, pixels)
    return pixels, float(matrix[0, 0])


def stretched(image: NDArray[np.uint8], size_hw: tuple[int, int]) -> NDArray[np.uint8]:
    """Squeeze a whole frame into a size, both sides by themselves; uint8 ``[*size_hw, 3]``."""
    height, width = image.shape[:2]
    return rectangle(image, (0, 0, width, height), size_hw)


def rectangle(
    image: NDArray[np.uint8], box_xywh: ArrayLike, size_hw: tuple[int, int]
) -> NDArray[np.uint8]:
    """Squeeze a rectangle of a frame into a size; beyond the frame its border is repeated.

    Args:
        image: uint8 ``[H, W, 3]``, BGR.
        box_xywh: ``[4]``, left, top, width, height in pixels of the frame.
        size_hw: height and width to fill.

    Returns:
        uint8 ``[*size_hw, 3]``, BGR.
    """
    left, top, box_width, box_height = (float(v) for v in np.asarray(box_xywh, np.float64))
    height, width = size_hw
    x, y = width / max(box_width, 1.0), height / max(box_height, 1.0)
    # Pixel centres lie at whole numbers, as in edge.geometry.
    matrix = np.array([[x, 0, (x - 1) / 2 - left * x], [0, y, (y - 1) / 2 - top * y]])
    pixels = np.empty((height, width, 3), np.uint8)
    warp(image, matrix, pixels, replicate=True)
    return pixels
