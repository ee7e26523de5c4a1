"""Compare two ways of running a bundle, in turn on this machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack

import numpy as np

from benchmarks.compare.contest import Contest, Side, StageContest
from benchmarks.fingerprint import Watch, read_conditions, verdict
from benchmarks.latency.subjects import PIPELINE, open_subject
from benchmarks.race import Choice, Turns, paired_quotient, paired_ratio, percentile_of, take_turns
from edge.frames import Frame

__all__ = ["compare_choices"]

_MS = 1e6
#: Faces a frame that two runs may differ by and still be called the same work.
_SAME_FACES = 0.01


def compare_choices(
    a: Choice,
    b: Choice,
    frames: Sequence[Frame],
    *,
    seconds: float,
    subject: str = PIPELINE,
    step: Callable[[], None] = lambda: None,
) -> Contest:
    """Run both in turn and compare them.

    Args:
        a, b: what is to run.
        frames: in memory; taken in turn.
        seconds: at least so long.
        subject: ``pipeline``, ``stage:NAME`` or ``engine:TASK``; see ``open_subject``.
        step: called after every block.

    Raises:
        EdgeError: one of the two does not open, or fails: nothing is compared then.
    """
    with ExitStack() as stack:
        both = [
            stack.enter_context(
                open_subject(
                    subject,
                    choice.open(),
                    frames,
                    threads=choice.threads,
                    engine=choice.engine,
                )
            )
            for choice in (a, b)
        ]
        before = read_conditions()
        with Watch() as watch:
            turns = take_turns(both, frames, seconds=seconds, step=step)
        after = read_conditions(before)
    unquiet = verdict(before, after, watch.samples, needed=max(a.threads, b.threads))
    met = [f"both met what made the machine unquiet: {reason}" for reason in unquiet]
    return _judged(turns, (a.name, b.name), subject, met)


def _judged(turns: Turns, names: tuple[str, str], subject: str, met: Sequence[str]) -> Contest:
    ns = turns.ns(0), turns.ns(1)
    sides = [
        Side(
            name=names[i],
            count=ns[i].size,
            p50_ms=float(np.percentile(ns[i], 50)) / _MS,
            p90_ms=float(np.percentile(ns[i], 90)) / _MS,
            faces_per_frame=None if subject.startswith("engine:") else turns.faces_per_frame(i),
        )
        for i in range(2)
    ]
    stages = [name for name in turns.stages(0) if name in turns.stages(1)]
    judged = {name: _stage(turns, name) for name in stages}
    return Contest(
        a=sides[0],
        b=sides[1],
        what=subject,
        figure="median of the blocks",
        ratio=paired_ratio(ns[1], ns[0]),
        p90=paired_quotient(ns[1], ns[0], percentile_of(90)),
        stages={name: stage for name, stage in judged.items() if stage is not None},
        paired=True,
        remarks=(*_remarks(*sides), *met),
    )


def _stage(turns: Turns, name: str) -> StageContest | None:
    """Compare one stage over the blocks in which both ran it; None if there is none."""
    a, b = turns.ns(0, name), turns.ns(1, name)
    ran = (a > 0).all(axis=1) & (b > 0).all(axis=1)
    if not ran.any():
        return None
    a, b = a[ran], b[ran]
    return StageContest(float(np.median(a)) / _MS, float(np.median(b)) / _MS, paired_ratio(b, a))


def _remarks(a: Side, b: Side) -> list[str]:
    if a.faces_per_frame is None or b.faces_per_frame is None:
        return []
    if abs(a.faces_per_frame - b.faces_per_frame) > _SAME_FACES:
        return [
            f"A looked at {a.faces_per_frame:.2f} faces a frame and B at {b.faces_per_frame:.2f}: "
            "they did not do the same work"
        ]
    if a.faces_per_frame == 0:
        return ["no face was found in any frame: little more than detection was timed"]
    return []
