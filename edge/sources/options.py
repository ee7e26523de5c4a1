"""What every camera may be asked for behind its ``?``: size, rate, and which way is up."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import UsageError
from edge.frames import MAX_SIDE_PX
from edge.settings import setting

__all__ = ["View", "fit", "turn"]

_ROTATIONS = {
    "90": cv2.ROTATE_90_CLOCKWISE,
    "180": cv2.ROTATE_180,
    "270": cv2.ROTATE_90_COUNTERCLOCKWISE,
}
#: OpenCV's flip codes: about the x axis 0, about the y axis 1, both -1.
_FLIPS = {"h": 1, "v": 0, "hv": -1}


@dataclass(frozen=True, slots=True)
class View:
    """The keys that all cameras know.

    Raises:
        UsageError: only one of width and height is given.
    """

    width: int = setting(
        0, "of the picture before it is turned, in pixels; 0: as it comes", low=0, high=MAX_SIDE_PX
    )
    height: int = setting(
        0, "of the picture before it is turned, in pixels; 0: as it comes", low=0, high=MAX_SIDE_PX
    )
    fps: float = setting(0.0, "frames a second; 0: as they come", low=0, high=1000)
    rotate: str = setting(
        "0", "degrees by which the picture is turned clockwise", choices=("0", "90", "180", "270")
    )
    flip: str = setting(
        "none",
        "sides that change places after that: h left and right, v top and bottom",
        choices=("none", "h", "v", "hv"),
    )

    def __post_init__(self) -> None:
        if (self.width == 0) != (self.height == 0):
            raise UsageError(
                f"width={self.width} and height={self.height}",
                hint="give both or neither",
                code="source.query",
            )


def turn(image: NDArray[np.uint8], view: View) -> NDArray[np.uint8]:
    """Return a picture turned clockwise by ``rotate``, then mirrored by ``flip``.

    Args:
        image: uint8 ``[H, W, 3]``.

    Returns:
        uint8, contiguous; the picture itself where nothing is to be done.
    """
    if view.rotate != "0":
        image = cv2.rotate(image, _ROTATIONS[view.rotate]).astype(np.uint8, copy=False)
    if view.flip != "none":
        image = cv2.flip(image, _FLIPS[view.flip]).astype(np.uint8, copy=False)
    return np.ascontiguousarray(image)


def fit(image: NDArray[np.uint8], view: View) -> NDArray[np.uint8]:
    """Return a picture made smaller so that it lies within ``width`` and ``height``.

    Its sides keep their ratio, since a stretched face is another face, and it is never enlarged,
    since that adds nothing to see.

    Args:
        image: uint8 ``[H, W, 3]``.
    """
    height, width = image.shape[:2]
    scale = min(view.width / width, view.height / height) if view.width else 1.0
    if scale >= 1:
        return image
    size = (max(1, round(scale * width)), max(1, round(scale * height)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
