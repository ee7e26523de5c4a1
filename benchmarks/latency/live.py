"""Frames at a camera's pace: the newest one wins, and what comes too late is dropped."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from benchmarks.latency.scenarios import Limits, Run
from benchmarks.latency.subjects import Subject
from edge.frames import Frame

__all__ = ["Paced", "Traffic", "live"]


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


class _Slot:
    """Room for one frame; a newer one replaces it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._frame: Frame | None = None
        self._ended = False
        self.error: BaseException | None = None

    def put(self, frame: Frame) -> bool:
        """Offer a frame; tell whether anybody still wants one."""
        with self._changed:
            self._frame = frame
            self._changed.notify()
            return not self._ended

    def take(self) -> Frame | None:
        """Wait for a frame nobody has taken; None once there will be no more."""
        with self._changed:
            self._changed.wait_for(lambda: self._frame is not None or self._ended)
            frame, self._frame = self._frame, None
            return frame

    def end(self) -> None:
        """Let nobody wait any longer."""
        with self._changed:
            self._ended = True
            self._changed.notify()


def live(
    subject: Subject,
    frames: Iterable[Frame],
    limits: Limits,
    *,
    step: Callable[[], None] = lambda: None,
) -> tuple[Run, Traffic]:
    """Run a subject on the newest frame of a source that does not wait.

    Args:
        subject: in this thread; the source is read in another.
        frames: each with the time at which it was captured; the run ends when they do.
        limits: when to end before that.
        step: called after every frame, outside the time that counts.
    """
    run, traffic, slot = Run(), Traffic(), _Slot()

    def capture() -> None:
        try:
            for frame in frames:
                if not slot.put(frame):
                    break
                traffic.offered += 1
        except BaseException as error:  # raised again by the thread that waits
            slot.error = error
        finally:
            slot.end()

    camera = threading.Thread(target=capture, daemon=True)
    started = time.perf_counter_ns()
    camera.start()
    while not limits.reached(started, len(run.raw_ns)):
        frame = slot.take()
        if frame is None:
            break
        start = time.perf_counter_ns()
        run.answers.append(subject.run(frame))
        end = time.perf_counter_ns()
        run.raw_ns.append(end - start)
        run.ends_ns.append(end - started)
        traffic.processed += 1
        traffic.age_ns.append(time.monotonic_ns() - frame.captured_ns)
        step()
    run.elapsed_ns = time.perf_counter_ns() - started
    slot.end()
    camera.join()
    if slot.error is not None:
        raise slot.error
    return run, traffic
