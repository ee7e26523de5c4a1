"""A pipeline on live frames: the newest wins, two threads share the work, faces are followed."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass

from edge.frames import Frame
from edge.live.budget import Budget, Hand
from edge.live.finder import Finder, Found, Frames
from edge.live.follower import Follower
from edge.live.settings import LiveSettings, Reduction
from edge.owned import Owned
from edge.pipeline import Pipeline
from edge.results import FaceResult, FrameResult, Live

__all__ = ["LivePipeline", "Seen"]


@dataclass(frozen=True, slots=True)
class Seen:
    """A frame and everything that is said of it."""

    frame: Frame
    result: FrameResult


class LivePipeline(Owned):
    """Gives the result of the newest frame, again and again.

    Detection runs in a thread of its own, the face stages in the thread that calls ``next``: the
    one that opened the pipeline's gallery.

    Args:
        pipeline: used by nobody else meanwhile; closed after this by whoever opened it.
        frames: where frames come from, such as ``edge.capture.Capture``; closed likewise.
        settings: see there.
        follow: whether faces are followed from frame to frame. Without it every stage looks at
            every face of every frame, and ``detect_every`` means nothing.

    Attributes:
        results: how many were given.
        missed: how many of these were older than the budget.
        dropped: frames that nobody looked at, up to the last result.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        frames: Frames,
        *,
        settings: LiveSettings = LiveSettings(),  # noqa: B008 - frozen
        follow: bool = True,
    ) -> None:
        self.results = 0
        self.missed = 0
        self.dropped = 0
        if not follow:
            settings = dataclasses.replace(settings, detect_every=1)
        self._settings = settings
        self._pipeline = pipeline
        self._follower = Follower(pipeline, settings) if follow else None
        self._hand = Hand()
        self._budget = Budget(round(settings.budget_ms * 1e6))
        self._finder = Finder(
            pipeline, frames, settings=settings, budget=self._budget, faces=self._hand
        )

    @property
    def ended(self) -> bool:
        """Whether the source has ended and its last result was given."""
        return self._finder.ended

    @property
    def busy_ns(self) -> int:
        """How long the frame that has been in hand longest, in either thread, has been there.

        0 when no thread has one: they wait for the camera, or for whoever calls ``next``.
        """
        return max(self._finder.hand.busy_ns, self._hand.busy_ns)

    def reduce(self, reduction: Reduction) -> None:
        """Leave something out from the next frame on, or take it back."""
        if self._follower is None:
            reduction = dataclasses.replace(reduction, detect_every=1)
        self._finder.reduction = reduction

    def next(self, timeout_s: float) -> Seen | None:
        """Give the next result.

        Returns:
            None when no frame came in time, or the source has ended (``ended`` says so).

        Raises:
            EdgeError: the source or an engine failed, in either thread; there is no next then.
        """
        found = self._finder.take(timeout_s)
        if found is None:
            return None
        with self._hand:
            return self._finish(found)

    def close(self) -> None:
        """End the thread of detection; a second call does nothing."""
        self._finder.close()

    def _finish(self, found: Found) -> Seen:
        """Run the face stages and say what the frame met on its way."""
        start, reduction = time.perf_counter_ns(), self._finder.reduction
        faces = self._faces(found, reduction)
        took = time.perf_counter_ns() - start
        self._budget.add(found.took_ns, took)
        frame = found.frame
        age = time.monotonic_ns() - frame.captured_ns
        dropped, self.dropped = found.dropped - self.dropped, found.dropped
        self.results += 1
        self.missed += self._budget.missed(age)
        return Seen(
            frame,
            FrameResult(
                frame=frame.index,
                source=frame.source,
                captured_ns=frame.captured_ns,
                faces=faces,
                stage_ns=found.spent,
                total_ns=found.took_ns + took,
                live=Live(age, dropped, reduction.names(self._settings)),
            ),
        )

    def _faces(self, found: Found, reduction: Reduction) -> tuple[FaceResult, ...]:
        if self._follower is not None:
            return self._follower.look(found.frame, found.faces, reduction, found.spent)
        return self._pipeline.look(
            found.frame,
            found.faces or (),
            found.spent,
            emotion=reduction.emotion,
            reconstruct=reduction.reconstruct,
        )
