"""Subjects that work at the same time, each in a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from benchmarks.latency.subjects import Answer, Subject
from edge.frames import Frame
from edge.owned import Owned

__all__ = ["Crew", "Timed"]


@dataclass(frozen=True, slots=True)
class Timed:
    """One frame's way through a subject: start and end on ``time.perf_counter_ns``."""

    start_ns: int
    end_ns: int
    answer: Answer


class Crew(Owned):
    """Hands frames to whichever subject is free.

    Args:
        subjects: at least one; a single one works in the caller's thread. All are closed with it.
    """

    def __init__(self, subjects: Sequence[Subject]) -> None:
        self.subjects = tuple(subjects)
        self._pool = ThreadPoolExecutor(len(subjects)) if len(subjects) > 1 else None

    def run(self, frames: Iterator[Frame]) -> list[Timed]:
        """Run every frame once.

        Args:
            frames: drawn one at a time, when a subject is free.

        Returns:
            What each took, in the order of their ends.
        """
        lock, done = threading.Lock(), list[Timed]()

        def work(subject: Subject) -> None:
            while True:
                with lock:
                    frame = next(frames, None)
                if frame is None:
                    return
                start = time.perf_counter_ns()
                answer = subject.run(frame)
                done.append(Timed(start, time.perf_counter_ns(), answer))

        if self._pool is None:
            work(self.subjects[0])
        else:
            for job in [self._pool.submit(work, subject) for subject in self.subjects]:
                job.result()
        return done

    def close(self) -> None:
        """End the threads and free the engines; a second call does nothing."""
        if self._pool is not None:
            self._pool.shutdown()
        for subject in self.subjects:
            subject.close()
