"""How a source is, told once for every change."""

from __future__ import annotations

import time

from edge.errors import EdgeError
from edge.events import Event, Listener

__all__ = ["Status"]


class Status:
    """Opening, running or lost; that it is lost and that it is back are events.

    Only the capture's own thread changes it.

    Attributes:
        uri: of the source, as it may be shown.
        state: ``opening`` until the first frame, ``running``, ``lost``.
        reopened: how often frames came again.
        fps: that the source states.
    """

    def __init__(self, uri: str, fps: float, listener: Listener) -> None:
        self.uri = uri
        self.fps = fps
        self.state = "opening"
        self.reopened = 0
        self._listener = listener
        self._lost_at = 0.0

    def frame_came(self) -> None:
        """Note a frame."""
        if self.state == "running":
            return
        before, self.state = self.state, "running"
        if before == "lost":
            self.reopened += 1
            waited_s = time.monotonic() - self._lost_at
            text = f"{self.uri}: frames again after {waited_s:.1f} s"
            self._listener(Event("camera.back", text))

    def lost(self, error: EdgeError) -> None:
        """Note that no frames come; only the first of several reasons is an event."""
        if self.state != "lost":
            self.state = "lost"
            self._lost_at = time.monotonic()
            self._listener(Event("camera.lost", _line(error), error.code))

    def stepped_over(self, fault: EdgeError) -> None:
        """Note a picture that cannot be used."""
        self._listener(Event("input", _line(fault), fault.code))


def _line(error: EdgeError) -> str:
    return f"{error.what}; {error.hint}" if error.hint else error.what
