"""From five points to a box, where a pack has only points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["box_of_points"]


def box_of_points(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Guess the box, forehead to chin, from five points.

    The median over the faces of ``detect_train`` that have both, in units of the points' spread.

    Args:
        points: ``[5, 2]``.

    Returns:
        float64 ``[4]``: left, top, width, height.
    """
    middle = points.mean(0)
    unit = float(np.sqrt(((points - middle) ** 2).sum() / 5))
    size = unit * np.array([3.56, 4.70])
    return np.concatenate([middle + unit * np.array([0.0, -0.33]) - size / 2, size])
