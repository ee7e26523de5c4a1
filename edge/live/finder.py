"""The first half of live work, in a thread of its own: take the newest frame, find its faces."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Protocol

from edge.frames import Frame
from edge.live.budget import Budget, Hand
from edge.live.settings import LiveSettings, Reduction
from edge.live.slot import Slot
from edge.owned import Owned
from edge.pipeline import Pipeline, Spent
from edge.results import Detection

__all__ = ["Finder", "Found", "Frames"]

#: How often a thread that waits for a frame looks whether it should end.
_LOOK_UP_S = 0.2
#: How long ``close`` waits for a frame that an engine does not give back.
_PATIENCE_S = 5.0


class Frames(Protocol):
    """Where live frames come from; ``edge.capture.Capture`` is one."""

    @property
    def ended(self) -> bool:
        """Whether no frame is left and none will come."""
        ...

    @property
    def dropped(self) -> int:
        """Frames that a newer one replaced before anybody took them."""
        ...

    def take(self, timeout_s: float) -> Frame | None:
        """Return the newest frame nobody has taken; None when none came in time."""
        ...


@dataclass(frozen=True, slots=True)
class Found:
    """A frame and its faces.

    Attributes:
        frame: as it was taken.
        faces: from the largest to the smallest; None when nobody looked for any.
        spent: the time of each stage so far.
        took_ns: since the frame was taken.
        dropped: frames nobody looked at, since the source began.
    """

    frame: Frame
    faces: list[Detection] | None
    spent: Spent
    took_ns: int
    dropped: int


class Finder(Owned):
    """Takes a frame as soon as the last one was taken over, finds its faces and holds it ready.

    So the detection of one frame runs beside the face stages of the one before, a frame waits for
    nobody but them, and none is detected for nothing.

    Args:
        pipeline: only its detection is used.
        frames: closed by whoever opened it.
        settings: how often faces are looked for.
        budget: which frames are dropped.
        faces: the hand of the thread that runs the face stages.

    Attributes:
        reduction: what is left out at the moment.
        hand: of the finder's thread.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        frames: Frames,
        *,
        settings: LiveSettings,
        budget: Budget,
        faces: Hand,
    ) -> None:
        self.reduction = Reduction()
        self.hand = Hand()
        self._pipeline, self._frames = pipeline, frames
        self._settings, self._budget, self._faces = settings, budget, faces
        self._slot: Slot[Found] = Slot()
        self._passed_over = 0
        self._unlooked = settings.detect_every  # the first frame is looked at
        self._due_ns = 0
        self._thread = threading.Thread(target=self._run, name="finder", daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        """Whether every frame was taken over and none will come."""
        return self._slot.ended

    def take(self, timeout_s: float) -> Found | None:
        """Wait for a frame with its faces; None when none came in time or none will come.

        Raises:
            EdgeError: whatever ended the thread.
        """
        return self._slot.take(timeout_s)

    def close(self) -> None:
        """End the thread after the frame in its hand; a second call does nothing."""
        self._slot.end()
        self._thread.join(_PATIENCE_S)

    def _run(self) -> None:
        try:
            while self._slot.wait_until_free():
                last = self._frames.ended
                frame = self._next_frame()
                if frame is not None:
                    with self.hand:
                        found = self._find(frame)
                    self._slot.put(found)
                elif last:
                    break
        except BaseException as error:  # raised again by the thread that takes
            self._slot.end(error)
        self._slot.end()

    def _next_frame(self) -> Frame | None:
        """Return the newest frame, or the one after it if that would come too late."""
        self._keep_pace()
        frame = self._frames.take(_LOOK_UP_S)
        if frame is None:
            return None
        age = time.monotonic_ns() - frame.captured_ns
        if self._budget.worth(age, self._faces.busy_ns):
            return frame
        # The newer one is taken whatever is expected of it: half of all results late is better
        # than none at all.
        newer = self._frames.take(_LOOK_UP_S)
        if newer is None:
            return frame
        self._passed_over += 1
        return newer

    def _keep_pace(self) -> None:
        """Wait until the next frame may be taken, where the frame rate is reduced."""
        fps = self.reduction.fps
        if fps > 0:
            self._slot.wait_for_end((self._due_ns - time.monotonic_ns()) / 1e9)
            self._due_ns = max(self._due_ns, time.monotonic_ns()) + int(1e9 / fps)

    def _find(self, frame: Frame) -> Found:
        start, spent = time.perf_counter_ns(), self._pipeline.unspent()
        every = max(self._settings.detect_every, self.reduction.detect_every)
        self._unlooked += 1
        faces = None
        if self._unlooked >= every:
            faces, self._unlooked = self._pipeline.detect(frame, spent), 0
        dropped = self._frames.dropped + self._passed_over
        return Found(frame, faces, spent, time.perf_counter_ns() - start, dropped)
