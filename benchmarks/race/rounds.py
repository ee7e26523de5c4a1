"""Time several ways in rounds, so that all meet the same load of the machine.

In a round each way is opened, warmed, timed for a slice and closed again: a board has memory for
one pipeline, not for forty, and nobody's threads or caches are in another's way. Every second
round goes backward.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from edge.errors import EdgeError, UnavailableError

__all__ = ["FEWEST", "Opener", "Rounds", "even", "take_rounds"]

_T = TypeVar("_T")
#: Opens a way for the slice of the round with this number, and gives what runs it once.
Opener = Callable[[int], AbstractContextManager[Callable[[], _T]]]

#: Runs of a slice before the clock counts, and that count at least.
_WARM_UP = 3
FEWEST = 3
#: Runs of a slice that are drawn from; more make an interval no better known.
_MOST = 200


@dataclass(frozen=True, slots=True)
class Rounds(Generic[_T]):
    """Every timed run.

    Attributes:
        slices: by way, then by round, then by run; those of a way that is missing are empty.
        missing: by number, the ways that do not run, with the reason.
    """

    slices: Sequence[Sequence[Sequence[_T]]]
    missing: Mapping[int, EdgeError]


def take_rounds(
    openers: Sequence[Opener[_T]],
    *,
    seconds: float,
    rounds: int,
    step: Callable[[int, int], None] = lambda number, way: None,
    forgive: type[EdgeError] = UnavailableError,
) -> Rounds[_T]:
    """Give every way a slice of its own in every round.

    Args:
        openers: one a way.
        seconds: of timed runs a slice, at least.
        rounds: slices of a way.
        step: called before every slice with the numbers of round and way, from 0.
        forgive: what makes a way a missing one; any other error ends it all.
    """
    slices: list[list[list[_T]]] = [[] for _ in openers]
    missing: dict[int, EdgeError] = {}
    for number in range(rounds):
        order = range(len(openers)) if number % 2 == 0 else reversed(range(len(openers)))
        for way in order:
            if way in missing:
                continue
            step(number, way)
            try:
                slices[way].append(_slice(openers[way], number, seconds))
            except forgive as error:
                missing[way] = error
    return Rounds([[] if way in missing else kept for way, kept in enumerate(slices)], missing)


def _slice(opener: Opener[_T], number: int, seconds: float) -> list[_T]:
    """Open a way, run it for some time and close it."""
    with opener(number) as run:
        for _ in range(_WARM_UP):
            run()
        kept: list[_T] = []
        start = time.perf_counter()
        while len(kept) < FEWEST or time.perf_counter() - start < seconds:
            kept.append(run())
    return kept


def even(slices: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    """Take as many runs of every slice, evenly spread, so that each round counts the same.

    Returns:
        float64 ``[slices, K]``, K at most 200.
    """
    count = min(_MOST, *(len(piece) for piece in slices))
    return np.stack([np.asarray(piece)[np.arange(count) * len(piece) // count] for piece in slices])
