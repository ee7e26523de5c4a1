"""The picture that every stand-in camera sees, and every file of the conformance tests holds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def scene(width: int, height: int) -> NDArray[np.uint8]:
    """Draw a picture that shows what happened to it: no turn, mirror or swap leaves it the same.

    Blue grows to the right, green downwards, red is high in the upper left only; all of it is
    smooth, so that scaling and lossy codes change it little.
    """
    x = np.linspace(0, 1, width)[None, :]
    y = np.linspace(0, 1, height)[:, None]
    planes = (40 + 170 * x + 0 * y, 40 + 120 * y + 0 * x, 200 * np.exp(-4 * (x**2 + y**2)) + 20)
    return np.stack(planes, -1).astype(np.uint8)
