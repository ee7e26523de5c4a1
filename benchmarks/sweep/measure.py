"""Time every way in rounds, so that all meet the same load of the machine.

In a round each way is opened, warmed, timed for a slice and closed again: a board has memory for
one pipeline, not for forty, and nobody's threads or caches are in another's way. Every second
round goes backward.
"""

from __future__ import annotations

import datetime
import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.fingerprint import Watch, read_conditions, take_fingerprint, verdict
from benchmarks.latency.subjects import PIPELINE, Answer
from benchmarks.metrics import Interval
from benchmarks.race import Statistic, drawn, percentile_of
from benchmarks.records import Cell, Facts, SweepRecord, Times
from benchmarks.sweep.pareto import mark_front
from benchmarks.sweep.ways import Way
from edge.errors import UnavailableError
from edge.frames import Frame

__all__ = ["ROUNDS", "sweep"]

#: Slices of a cell; they are what is drawn anew for an interval.
ROUNDS = 10
#: Runs of a slice before the clock counts, and that count at least.
_WARM_UP = 3
_FEWEST = 3
#: Runs of a slice that are drawn from; more make an interval no better known.
_MOST = 200


def sweep(
    ways: Sequence[Way],
    frames: Sequence[Frame],
    *,
    source: str,
    seconds: float,
    rounds: int = ROUNDS,
    step: Callable[[str], None] = lambda said: None,
) -> SweepRecord:
    """Time every way.

    Args:
        ways: at least one.
        frames: in memory; pipelines see them in turn.
        source: of the frames, as the user named it.
        seconds: of timed runs a way, at least.
        rounds: slices that they are cut into.
        step: called before every slice with what follows.

    Raises:
        EdgeError: a way does not open although its engine is installed, or fails.
    """
    before = read_conditions()
    with Watch() as watch:
        slices, missing = _rounds(ways, frames, seconds / rounds, rounds, step)
    after = read_conditions(before)
    needed = max(way.cell.threads for way in ways)
    reasons = verdict(before, after, watch.samples, needed=needed)
    cells = [
        replace(way.cell, unavailable=missing[i]) if i in missing else _timed(way.cell, slices[i])
        for i, way in enumerate(ways)
    ]
    return SweepRecord(
        date=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        source=source,
        seconds=seconds,
        rounds=rounds,
        cells=mark_front(cells),
        valid=not reasons,
        invalid=reasons,
        fingerprint=_machine(),
    )


def _rounds(
    ways: Sequence[Way],
    frames: Sequence[Frame],
    seconds: float,
    rounds: int,
    step: Callable[[str], None],
) -> tuple[list[list[list[Answer]]], dict[int, str]]:
    """Give every way a slice of so many seconds in every round.

    Returns:
        By way its slices; and by number the ways whose engine is not installed, with the reason.
    """
    slices: list[list[list[Answer]]] = [[] for _ in ways]
    missing: dict[int, str] = {}
    for number in range(rounds):
        order = range(len(ways)) if number % 2 == 0 else reversed(range(len(ways)))
        for index in order:
            if index in missing:
                continue
            step(f"round {number + 1} of {rounds}, {_name(ways[index].cell)}")
            try:
                slices[index].append(_slice(ways[index], frames, seconds, number))
            except UnavailableError as error:
                missing[index] = error.what
    return slices, missing


def _slice(way: Way, frames: Sequence[Frame], seconds: float, number: int) -> list[Answer]:
    """Open a way, run it for some time and close it."""
    # A slice goes on with the frames where the one before ended, or a short one saw the first only.
    turn = itertools.islice(itertools.cycle(frames), number * _FEWEST % len(frames), None)
    with way.open(frames) as subject:
        for frame in itertools.islice(turn, _WARM_UP):
            subject.run(frame)
        answers: list[Answer] = []
        start = time.perf_counter()
        while len(answers) < _FEWEST or time.perf_counter() - start < seconds:
            answers.append(subject.run(next(turn)))
    return answers


def _timed(cell: Cell, slices: Sequence[Sequence[Answer]]) -> Cell:
    ns = [np.array([answer.total_ns for answer in answers], np.float64) for answers in slices]
    rows = _even(ns) / 1e6
    p50, p90 = percentile_of(50), percentile_of(90)

    def ends(statistic: Statistic) -> Interval:
        low, high = np.quantile(drawn(rows, statistic, seed=0), [0.025, 0.975])
        return round(float(low), 5), round(float(high), 5)

    times = Times(
        count=sum(map(len, ns)),
        p50_ms=round(p50(rows), 5),
        p50_ci95=ends(p50),
        p90_ms=round(p90(rows), 5),
        p90_ci95=ends(p90),
        fps=round(_rate(rows), 4),
        fps_ci95=ends(_rate),
    )
    faces = [answer.faces for answers in slices for answer in answers]
    return replace(
        cell,
        times=times,
        faces_per_frame=float(np.mean(faces)) if cell.subject == PIPELINE else None,
    )


def _rate(ms: NDArray[np.float64]) -> float:
    """Return runs a second."""
    return 1e3 / float(ms.mean())


def _even(slices: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Take as many runs of every slice, evenly spread, so that each round counts the same.

    Returns:
        float64 ``[slices, K]``, K at most 200.
    """
    count = min(_MOST, *(len(piece) for piece in slices))
    return np.stack([piece[np.arange(count) * len(piece) // count] for piece in slices])


def _machine() -> Facts:
    """Take the fingerprint without what differs from cell to cell."""
    table = take_fingerprint(engine="", threads=0, bundle="").to_json()
    apart = ("engine", "threads", "bundle")
    return Facts.of({key: value for key, value in table.items() if key not in apart})


def _name(cell: Cell) -> str:
    threads = "1 thread" if cell.threads == 1 else f"{cell.threads} threads"
    return f"{cell.subject}: {cell.kind}, {threads}"
