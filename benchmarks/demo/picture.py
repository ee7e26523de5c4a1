"""The demo's picture: Eileen Collins, by NASA, in the public domain; it ships in scikit-image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.errors import UnavailableError

__all__ = ["PERSON", "astronaut"]

PERSON = "Eileen Collins"


def astronaut() -> NDArray[np.uint8]:
    """Return the picture, uint8 ``[512, 512, 3]``, BGR; nothing is fetched.

    Raises:
        UnavailableError: scikit-image is not installed.
    """
    try:
        from skimage import data
    except ImportError as error:
        raise UnavailableError(
            "the picture comes with scikit-image, which is not installed",
            hint="run: pip install scikit-image",
            code="demo.picture",
        ) from error
    return np.ascontiguousarray(data.astronaut()[..., ::-1])
