"""The scenarios of MLPerf Inference (Reddi et al. 2020), for one board and its cameras.

``single-stream`` sends the next frame when the last one is done, and asks for the 90th percentile.
``multi-stream`` sends as many frames at once as there are streams, waits for all of them, and asks
for the 99th. ``offline`` has every frame at hand and asks for frames a second.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from benchmarks.latency.crew import Crew
from benchmarks.latency.subjects import Answer
from edge.frames import Frame

__all__ = ["FEWEST", "HEADLINE", "SCENARIOS", "Limits", "Run", "offline", "one_by_one"]

SCENARIOS = ("single-stream", "multi-stream", "offline", "live")
#: The percentile that a scenario is judged by; offline is judged by its rate.
HEADLINE = {"single-stream": 90, "multi-stream": 99, "live": 99}
#: Queries below which a percentile says little: LoadGen's floors for its early stopping, at 99 %
#: confidence (mlcommons/inference, loadgen/early_stopping.cc: 64 for p90, 662 for p99).
FEWEST = {"single-stream": 64, "multi-stream": 662, "offline": 64, "live": 662}


@dataclass(frozen=True, slots=True)
class Limits:
    """When a run is long enough: after ``seconds`` and ``count`` queries, whichever is later."""

    seconds: float
    count: int

    def reached(self, started_ns: int, count: int) -> bool:
        """Tell whether a run may end."""
        return count >= self.count and time.perf_counter_ns() - started_ns >= self.seconds * 1e9


@dataclass(slots=True)
class Run:
    """What a scenario saw, query by query in the order of their ends.

    Attributes:
        raw_ns: how long each query took.
        ends_ns: when each was done, since the run began.
        answers: of all frames.
        elapsed_ns: of the whole run.
    """

    raw_ns: list[int] = field(default_factory=list)
    ends_ns: list[int] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    elapsed_ns: int = 0


def one_by_one(
    crew: Crew,
    frames: Sequence[Frame],
    limits: Limits,
    *,
    streams: int = 1,
    step: Callable[[], None] = lambda: None,
) -> Run:
    """Send a query of ``streams`` frames, wait until all are done, send the next.

    Args:
        crew: runs them.
        frames: taken in turn.
        limits: when to end.
        streams: frames a query; 1 is single-stream.
        step: called after every query, outside the time that counts.
    """
    run, turn = Run(), itertools.cycle(frames)
    started = time.perf_counter_ns()
    while not limits.reached(started, len(run.raw_ns)):
        query = list(itertools.islice(turn, streams))
        start = time.perf_counter_ns()
        done = crew.run(iter(query))
        end = time.perf_counter_ns()
        run.raw_ns.append(end - start)
        run.ends_ns.append(end - started)
        run.answers += [timed.answer for timed in done]
        step()
    run.elapsed_ns = time.perf_counter_ns() - started
    return run


def offline(
    crew: Crew,
    frames: Sequence[Frame],
    limits: Limits,
    *,
    step: Callable[[], None] = lambda: None,
) -> Run:
    """Keep the whole crew busy until the limits are reached.

    A query is one frame, and its time is the one it took in its worker.
    """
    started = time.perf_counter_ns()

    def supply() -> Iterator[Frame]:
        for count, frame in enumerate(itertools.cycle(frames)):
            if limits.reached(started, count):
                return
            step()
            yield frame

    done = sorted(crew.run(supply()), key=lambda timed: timed.end_ns)
    return Run(
        raw_ns=[timed.end_ns - timed.start_ns for timed in done],
        ends_ns=[timed.end_ns - started for timed in done],
        answers=[timed.answer for timed in done],
        elapsed_ns=time.perf_counter_ns() - started,
    )
