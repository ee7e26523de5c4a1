"""Several pieces of work, timed in turn: forward, then backward, round after round."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

__all__ = ["in_rounds"]

#: Rounds are drawn anew for an interval, and fewer would draw the same few again and again.
_LEAST = 12


def in_rounds(
    works: Mapping[str, Callable[[], object]],
    *,
    seconds: float,
    step: Callable[[], None] = lambda: None,
) -> dict[str, NDArray[np.float64]]:
    """Time every work twice a round, so that what drifts meets all alike.

    Args:
        works: by name; each is done once before the clock counts.
        seconds: at least so long.
        step: called after every round, outside the time that counts.

    Returns:
        Seconds, float64 ``[rounds, 2]``, by name.
    """
    for work in works.values():
        work()
    names = list(works)
    took: dict[str, list[list[float]]] = {name: [] for name in names}
    begun = time.perf_counter()
    while len(took[names[0]]) < _LEAST or time.perf_counter() - begun < seconds:
        for name in names:
            took[name].append([])
        for name in [*names, *reversed(names)]:
            start = time.perf_counter()
            works[name]()
            took[name][-1].append(time.perf_counter() - start)
        step()
    return {name: np.array(rows) for name, rows in took.items()}
