"""The rule of choice; docs/race.md says it in the same words.

1. Out is what does not run, and what answers otherwise than the file that the bundle proves.
2. Out is what is worse than the best remaining way of the network by more than its card allows.
3. As fast as the fastest is what takes at most 5 % longer; and, on fewer threads than the fastest,
   what cannot be told apart from it.
4. Of those the one on the fewest threads is chosen; then float before INT8; then the one that holds
   least memory; then the fastest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.figures import better_when_smaller
from benchmarks.page import number_text
from export.gate.metric import loss
from export.race.entry import Entry, times_as_long

__all__ = ["AS_FAST", "Verdict", "choose"]

#: A way is as fast as the fastest up to here. Two races on one board differ by some per cent, and
#: for less nobody should pay with threads, memory or exactness.
AS_FAST = 1.05
#: Precisions whose weights are rounded to a byte; they have to be faster to be worth it.
_ROUNDED = ("int8", "dynamic")
#: Figures are kept to five digits, and a loss of exactly what is allowed is allowed.
_HAIR = 1e-6


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was chosen for one network.

    Attributes:
        winner: number of the way; None where none can be chosen.
        reasons: one a way: why it was chosen, or why not.
    """

    winner: int | None
    reasons: tuple[str, ...]


def choose(entries: Sequence[Entry]) -> Verdict:
    """Choose one way of a network.

    Args:
        entries: all ways of it that were looked at.
    """
    reasons = [entry.problem for entry in entries]
    running = [i for i, entry in enumerate(entries) if not entry.problem]
    for i in running:
        reasons[i] = _worse(entries[i], [entries[k] for k in running])
    able = [i for i in running if not reasons[i]]
    if not able:
        return Verdict(None, tuple(reasons))
    fastest = min(able, key=lambda i: _median(entries[i]))
    tied = [i for i in able if _as_fast(entries[i], entries[fastest])]
    winner = min(tied, key=lambda i: _cost(entries[i]))
    for i in able:
        reasons[i] = _word(entries, i, winner=winner, fastest=fastest, tied=i in tied)
    return Verdict(winner, tuple(reasons))


def _worse(entry: Entry, others: Sequence[Entry]) -> str:
    """Say by how much a way is worse than the best one that was judged on the same; else nothing.

    Without a limit of the card every artefact of the bundle stands: it passed a gate to get in.
    """
    mine, limit = entry.merit, entry.max_drop
    if limit is None:
        return ""
    figures = [
        other.merit.value
        for other in others
        if (other.merit.metric, other.merit.data) == (mine.metric, mine.data)
    ]
    best = min(figures) if better_when_smaller(mine.metric) else max(figures)
    if loss(mine.metric, best, mine.value) <= limit + _HAIR:
        return ""
    return (
        f"{mine.metric} {number_text(mine.value)} where another way has {number_text(best)}; "
        f"{limit:g} may be lost"
    )


def _as_fast(entry: Entry, fastest: Entry) -> bool:
    ratio = times_as_long(entry, fastest)
    if ratio.value <= AS_FAST:
        return True
    return entry.threads < fastest.threads and not ratio.told_apart


def _cost(entry: Entry) -> tuple[int, bool, float, float]:
    memory = math.inf if entry.memory_mib is None else entry.memory_mib
    return entry.threads, entry.precision in _ROUNDED, memory, _median(entry)


def _median(entry: Entry) -> float:
    return float(np.median(entry.rounds_ms))


def _word(entries: Sequence[Entry], i: int, *, winner: int, fastest: int, tied: bool) -> str:
    """Say why a way that could be chosen was, or was not."""
    if i == winner:
        if i == fastest:
            return "chosen: the fastest"
        return f"chosen: as fast as {entries[fastest]}, and {_gain(entries[i], entries[fastest])}"
    return "as fast, and costs more" if tied else "slower"


def _gain(entry: Entry, fastest: Entry) -> str:
    if entry.threads < fastest.threads:
        return "on fewer threads"
    if entry.precision not in _ROUNDED and fastest.precision in _ROUNDED:
        return "not rounded to INT8"
    return "with less memory"
