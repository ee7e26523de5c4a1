"""Where frames wait to be taken: one place, for the newest or for the next."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from edge.frames import Frame

__all__ = ["Held", "Mailbox"]


@dataclass(frozen=True, slots=True)
class Held:
    """A frame that waits.

    Attributes:
        number: how many frames were captured before it.
        frame: called once, by whoever takes it.
        drop: called instead when nobody does.
    """

    number: int
    frame: Callable[[], Frame]
    drop: Callable[[], None]


class Mailbox:
    """One place for a frame, between the thread that captures and the one that takes.

    Attributes:
        captured: number of frames so far, those included that were dropped before they came here.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._held: Held | None = None
        self._error: Exception | None = None
        self._no_more = False
        self._taken = 0
        self.captured = 0

    @property
    def dropped(self) -> int:
        """Number of frames that nobody took and nobody will."""
        with self._changed:
            return self.captured - self._taken - (self._held is not None)

    @property
    def ended(self) -> bool:
        """Whether every frame was taken, none will come, and the reason was told."""
        with self._changed:
            return self._no_more and self._held is None and self._error is None

    def put(self, held: Held) -> None:
        """Leave a frame; one that still waits is dropped."""
        with self._changed:
            before, self._held = self._held, None if self._no_more else held
            if self._held is None:
                before = held
            else:
                self.captured = held.number + 1
            self._changed.notify_all()
        if before is not None:
            before.drop()

    def put_in_turn(self, held: Held) -> bool:
        """Leave a frame when the one before it was taken.

        Returns:
            False when nobody takes any more.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._held is None or self._no_more)
            if self._no_more:
                return False
            self._held = held
            self.captured = held.number + 1
            self._changed.notify_all()
        return True

    def take(self, timeout_s: float) -> Frame | None:
        """Take the frame that waits.

        Returns:
            None when none came in time, or none will come.

        Raises:
            Exception: the reason why no more frames come, once, after the last frame.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._held is not None or self._no_more, timeout_s)
            held, self._held = self._held, None
            if held is not None:
                self._taken += 1
                self._changed.notify_all()
            elif self._error is not None:
                error, self._error = self._error, None
                raise error
        return None if held is None else held.frame()

    def end(self, error: Exception | None = None) -> None:
        """Say that no more frames come; the one that waits may still be taken."""
        with self._changed:
            if not self._no_more:
                self._no_more = True
                self._error = error
            self._changed.notify_all()

    def close(self) -> None:
        """Say that nobody takes any more."""
        with self._changed:
            self._no_more = True
            self._error = None
            held, self._held = self._held, None
            self._changed.notify_all()
        if held is not None:
            held.drop()
