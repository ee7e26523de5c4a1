"""Run several subjects in turn: forward, then backward, block after block.

What drifts (the clock, the temperature, the neighbours' load) changes little within a block, and
what it changes linearly meets all alike: in A B B A both have the same mean place in time, as in
A B C C B A. Half of the runs follow a run of their own and half one of another, so that nobody
always finds the caches emptied.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.latency.subjects import Answer, Subject
from edge.frames import Frame

__all__ = ["MIN_BLOCKS", "WARM_UP", "Turns", "take_turns"]

#: Blocks are drawn anew for an interval, and fewer would draw the same few again and again.
MIN_BLOCKS = 20
#: Runs of each before the clock counts: the first ones fill caches and allocate.
WARM_UP = 5


@dataclass(frozen=True, slots=True)
class Turns:
    """Every timed run.

    Attributes:
        answers: by subject, then by block: of the run on the way forward, of that on the way back.
        frames: different frames that were taken in turn, one a block.
        seconds: that all took, warm-up apart.
    """

    answers: tuple[tuple[tuple[Answer, Answer], ...], ...]
    frames: int
    seconds: float

    @property
    def blocks(self) -> int:
        """How many there were."""
        return len(self.answers[0])

    def stages(self, subject: int) -> list[str]:
        """Return the stages that ran at least once, in the order of the river."""
        answers = itertools.chain.from_iterable(self.answers[subject])
        return list(dict.fromkeys(name for answer in answers for name in answer.stage_ns))

    def ns(self, subject: int, stage: str | None = None) -> NDArray[np.float64]:
        """Return the nanoseconds of a stage, or of the whole: float64 ``[blocks, 2]``.

        A stage that did not run on a frame took 0.
        """

        def took(answer: Answer) -> int:
            if stage is None:
                return answer.total_ns
            spent = answer.stage_ns.get(stage)
            return 0 if spent is None else spent.total_ns

        pairs = [[took(answer) for answer in block] for block in self.answers[subject]]
        return np.array(pairs, np.float64)

    def faces_per_frame(self, subject: int) -> float:
        """Return the mean number of faces that a subject looked at."""
        return float(np.mean([a.faces for block in self.answers[subject] for a in block]))


def take_turns(
    subjects: Sequence[Subject],
    frames: Sequence[Frame],
    *,
    seconds: float,
    warm_up: int = WARM_UP,
    least: int = MIN_BLOCKS,
    step: Callable[[], None] = lambda: None,
) -> Turns:
    """Time several subjects, block by block, each block on one frame.

    Args:
        subjects: opened; two for a comparison.
        frames: at least one; block after block takes the next.
        seconds: at least so long, warm-up apart.
        warm_up: runs of each before.
        least: at least so many blocks, however long they take.
        step: called after every block, outside the time that counts.
    """
    for frame in itertools.islice(itertools.cycle(frames), warm_up):
        for subject in subjects:
            subject.run(frame)
    order = [*range(len(subjects)), *reversed(range(len(subjects)))]
    answers: list[list[tuple[Answer, Answer]]] = [[] for _ in subjects]
    turn = itertools.cycle(frames)
    start = time.perf_counter()
    while len(answers[0]) < least or time.perf_counter() - start < seconds:
        frame = next(turn)
        block: list[list[Answer]] = [[] for _ in subjects]
        for number in order:
            block[number].append(subjects[number].run(frame))
        for mine, (forward, back) in zip(answers, block, strict=True):
            mine.append((forward, back))
        step()
    took = time.perf_counter() - start
    return Turns(tuple(tuple(mine) for mine in answers), len(frames), took)
