"""The frame: one picture on its way through the pipeline."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.errors import DataError

__all__ = ["MAX_SIDE_PX", "Frame"]

#: Longest side that is ever decoded; a 12,000-pixel picture is still a picture.
MAX_SIDE_PX = 16384


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of a source.

    Attributes:
        image: uint8 ``[H, W, 3]``, BGR, C-contiguous.
        index: 0-based number of the frame in its source.
        captured_ns: ``time.monotonic_ns()`` at capture.
        source: what the picture came from: a path, or the URI of a live source.
        small: the same view on fewer pixels, uint8 ``[h, w, 3]``, BGR, where a camera gives one:
            faces are looked for in it, and cut from ``image``.

    Raises:
        DataError: an array has another shape or dtype.
    """

    image: NDArray[np.uint8]
    index: int
    captured_ns: int
    source: str
    small: NDArray[np.uint8] | None = None

    def __post_init__(self) -> None:
        for image in (self.image, self.small):
            if image is not None and not _is_picture(image):
                raise DataError(
                    f"{self.source}: a frame is uint8 [H, W, 3] and this array is "
                    f"{image.dtype} {list(image.shape)}",
                    code="frame.shape",
                )


def _is_picture(image: NDArray[np.uint8]) -> bool:
    return (
        image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3 and 0 not in image.shape
    )
