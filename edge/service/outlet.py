"""A sink of a service: when it cannot deliver, the frames go on and it is opened again."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

from edge.capture.pauses import Pauses
from edge.errors import EdgeError
from edge.events import Event, Listener
from edge.frames import Frame
from edge.owned import Owned
from edge.query import shown
from edge.results import FrameResult
from edge.sinks.base import Sink

__all__ = ["Outlet"]

#: A disk that is full is full for a while; a minute is soon enough to notice that it is not.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 60.0


class Outlet(Owned):
    """One sink, opened as often as it takes.

    Args:
        uri: of the sink.
        opened: opens it.
        listener: hears once when the sink fails, and once when it delivers again.

    Attributes:
        uri: the same.
        failing: whether it does not deliver at the moment.
        lost: results that it did not take since it began to fail.

    Raises:
        EdgeError: it cannot be opened the first time.
    """

    def __init__(self, uri: str, opened: Callable[[], Sink], *, listener: Listener) -> None:
        self.uri = uri
        self.failing = False
        self.lost = 0
        self._open = opened
        self._listener = listener
        self._pauses = Pauses(_FIRST_PAUSE_S, _LONGEST_PAUSE_S)
        self._next_s = self._since_s = time.monotonic()
        self._sink: Sink | None = opened()

    def write(self, frame: Frame, result: FrameResult) -> None:
        """Hand on one result, or count it as lost.

        Raises:
            BrokenPipeError: whoever read standard output has gone.
        """
        now = time.monotonic()
        if self._sink is None and now < self._next_s:
            self.lost += 1
            return
        try:
            if self._sink is None:
                self._sink = self._open()
                self._since_s = now
            self._sink.write(frame, result)
        except BrokenPipeError:
            raise
        except (EdgeError, OSError) as error:
            self._fail(error, now)
        else:
            if self.failing:
                self._recover()

    def tell(self, event: Event) -> None:
        """Hand on a change of state; a sink that is closed hears of none."""
        if self._sink is not None:
            try:
                self._sink.tell(event)
            except (EdgeError, OSError) as error:
                self._fail(error, time.monotonic())

    def rest(self) -> None:
        """Let go of the sink's place for another; the next result opens it again."""
        try:
            self.close()
        except (EdgeError, OSError) as error:
            self._fail(error, time.monotonic())

    def close(self) -> None:
        """Close the sink; a second call does nothing.

        Raises:
            EdgeError: what it promised cannot be put in its place.
        """
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.close()

    def _fail(self, error: EdgeError | OSError, now: float) -> None:
        """Give up what is open; say so the first time."""
        sink, self._sink = self._sink, None
        # What did not open has not run, however long ago it last did.
        ran_s = 0.0 if sink is None else now - self._since_s
        if sink is not None:
            try:
                sink.close()
            except (EdgeError, OSError):
                with contextlib.suppress(EdgeError, OSError):
                    sink.discard()
        self.lost += 1
        self._next_s = now + self._pauses.next(ran_s)
        if not self.failing:
            self.failing = True
            code = error.code if isinstance(error, EdgeError) else "os"
            self._listener(Event("sink", f"{shown(self.uri)} fails: {error}", code))

    def _recover(self) -> None:
        count = f"{self.lost} result{'' if self.lost == 1 else 's'}"
        self.failing, self.lost = False, 0
        self._listener(Event("sink", f"{shown(self.uri)} delivers again; {count} lost"))
