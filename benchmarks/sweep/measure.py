"""Time every way of a sweep, in rounds."""

from __future__ import annotations

import contextlib
import datetime
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from benchmarks.fingerprint import Watch, read_conditions, take_fingerprint, verdict
from benchmarks.latency.subjects import PIPELINE, Answer
from benchmarks.race import take_rounds
from benchmarks.race.rounds import FEWEST
from benchmarks.records import Cell, Facts, SweepRecord
from benchmarks.sweep.pareto import mark_front
from benchmarks.sweep.times import times_of
from benchmarks.sweep.ways import Way
from edge.frames import Frame

__all__ = ["ROUNDS", "sweep"]

#: Slices of a cell; they are what is drawn anew for an interval.
ROUNDS = 10


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

    def say(number: int, way: int) -> None:
        step(f"round {number + 1} of {rounds}, {_name(ways[way].cell)}")

    openers = [partial(_runner, way, frames) for way in ways]
    with Watch() as watch:
        timed = take_rounds(openers, seconds=seconds / rounds, rounds=rounds, step=say)
    after = read_conditions(before)
    needed = max(way.cell.threads for way in ways)
    reasons = verdict(before, after, watch.samples, needed=needed)
    cells = [
        replace(way.cell, unavailable=timed.missing[i].what)
        if i in timed.missing
        else _timed(way.cell, timed.slices[i])
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


@contextlib.contextmanager
def _runner(way: Way, frames: Sequence[Frame], number: int) -> Iterator[Callable[[], Answer]]:
    """Open a way and give what runs it on the next frame."""
    # A slice goes on with the frames where the one before ended, or a short one saw the first only.
    turn = itertools.islice(itertools.cycle(frames), number * FEWEST % len(frames), None)
    with way.open(frames) as subject:
        yield lambda: subject.run(next(turn))


def _timed(cell: Cell, slices: Sequence[Sequence[Answer]]) -> Cell:
    faces = [answer.faces for answers in slices for answer in answers]
    return replace(
        cell,
        times=times_of([[answer.total_ns for answer in answers] for answers in slices]),
        faces_per_frame=float(np.mean(faces)) if cell.subject == PIPELINE else None,
    )


def _machine() -> Facts:
    """Take the fingerprint without what differs from cell to cell."""
    table = take_fingerprint(engine="", threads=0, bundle="").to_json()
    apart = ("engine", "threads", "bundle")
    return Facts.of({key: value for key, value in table.items() if key not in apart})


def _name(cell: Cell) -> str:
    threads = "1 thread" if cell.threads == 1 else f"{cell.threads} threads"
    return f"{cell.subject}: {cell.kind}, {threads}"
