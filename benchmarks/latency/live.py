"""Frames at a camera's pace: the newest one wins, and what comes too late is dropped."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace

from benchmarks.latency.scenarios import Limits, Run
from benchmarks.latency.subjects import Answer, Subject, Whole
from edge.frames import Frame
from edge.live import LivePipeline
from edge.live.slot import Slot
from edge.owned import Owned
from edge.pipeline import Pipeline

__all__ = ["Camera", "Paced", "Traffic", "live"]

#: How long a frame is waited for before the end of the source is looked for.
_LOOK_UP_S = 0.5


@dataclass(slots=True)
class Traffic:
    """What became of a camera's frames.

    Attributes:
        offered: by the camera.
        processed: to their end.
        age_ns: how old each of these was when its result was there.
    """

    offered: int = 0
    processed: int = 0
    age_ns: list[int] = field(default_factory=list)

    @property
    def dropped(self) -> int:
        """Frames that a newer one replaced before anybody looked."""
        return self.offered - self.processed


class Paced:
    """Pictures in memory, handed out in turn as a camera would: so many a second."""

    def __init__(self, frames: Sequence[Frame], fps: float) -> None:
        self._frames, self._period_ns = frames, int(1e9 / fps)

    def __iter__(self) -> Iterator[Frame]:
        due = time.monotonic_ns()
        for index, frame in enumerate(itertools.cycle(self._frames)):
            wait = due - time.monotonic_ns()
            if wait > 0:
                time.sleep(wait / 1e9)
            yield replace(frame, index=index, captured_ns=time.monotonic_ns())
            due += self._period_ns


class Camera(Owned):
    """Reads a source that does not wait, in a thread of its own, and keeps its newest frame.

    Args:
        frames: each with the time at which it was captured.

    Attributes:
        offered: frames that the source gave.
    """

    def __init__(self, frames: Iterable[Frame]) -> None:
        self.offered = 0
        self._frames = frames
        self._slot: Slot[Frame] = Slot()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        """Whether no frame is left and none will come."""
        return self._slot.ended

    @property
    def dropped(self) -> int:
        """Frames that a newer one replaced before anybody took them."""
        return self._slot.replaced

    def take(self, timeout_s: float) -> Frame | None:
        """Return the newest frame nobody has taken; None when none came in time.

        Raises:
            BaseException: what the source raised.
        """
        return self._slot.take(timeout_s)

    def close(self) -> None:
        """Leave off after the frame that is being read; a second call does nothing."""
        self._slot.end()
        self._thread.join()

    def _run(self) -> None:
        try:
            for frame in self._frames:
                if not self._slot.put(frame):
                    break
                self.offered += 1
        except BaseException as error:  # raised again by the thread that takes
            self._slot.end(error)
        self._slot.end()


@dataclass(frozen=True, slots=True)
class _Done:
    """One frame's answer, how long it took, and how old the frame was then."""

    answer: Answer
    took_ns: int
    age_ns: int


def live(
    subject: Subject,
    frames: Iterable[Frame],
    limits: Limits,
    *,
    step: Callable[[], None] = lambda: None,
) -> tuple[Run, Traffic]:
    """Run a subject on the newest frame of a source that does not wait.

    The whole pipeline works as the service has it: detection in a thread of its own, faces
    followed from frame to frame. A part of it runs in this thread.

    Args:
        subject: what is timed; the source is read in another thread.
        frames: each with the time at which it was captured; the run ends when they do.
        limits: when to end before that.
        step: called after every frame, outside the time that counts.
    """
    run, traffic = Run(), Traffic()
    started = time.perf_counter_ns()
    with (
        Camera(frames) as camera,
        closing(
            _followed(subject.pipeline, camera)
            if isinstance(subject, Whole)
            else _alone(subject, camera)
        ) as results,
    ):
        while not limits.reached(started, len(run.raw_ns)):
            done = next(results, None)
            if done is None:
                break
            run.answers.append(done.answer)
            run.raw_ns.append(done.took_ns)
            run.ends_ns.append(time.perf_counter_ns() - started)
            traffic.processed += 1
            traffic.age_ns.append(done.age_ns)
            step()
        run.elapsed_ns = time.perf_counter_ns() - started
    traffic.offered = camera.offered
    return run, traffic


def _followed(pipeline: Pipeline, camera: Camera) -> Generator[_Done, None, None]:
    """Give what the live pipeline sees; its time is that of the work, without any waiting."""
    with LivePipeline(pipeline, camera) as work:
        while not work.ended:
            seen = work.next(_LOOK_UP_S)
            if seen is None:
                continue
            result = seen.result
            assert result.live is not None
            answer = Answer(len(result.faces), result.stage_ns, result.total_ns)
            yield _Done(answer, result.total_ns, result.live.age_ns)


def _alone(subject: Subject, camera: Camera) -> Generator[_Done, None, None]:
    """Run a part of the pipeline on each frame, in this thread."""
    while not camera.ended:
        frame = camera.take(_LOOK_UP_S)
        if frame is None:
            continue
        start = time.perf_counter_ns()
        answer = subject.run(frame)
        took = time.perf_counter_ns() - start
        yield _Done(answer, took, time.monotonic_ns() - frame.captured_ns)
