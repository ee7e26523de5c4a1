"""Frames of any source, captured beside the work on them."""

from __future__ import annotations

import threading

from edge.capture.camera import Camera
from edge.capture.mailbox import Mailbox
from edge.capture.playing import Playing
from edge.capture.settings import CaptureSettings
from edge.capture.status import Status
from edge.events import Listener
from edge.frames import Frame
from edge.owned import Owned
from edge.query import shown
from edge.sources import check_camera, open_source

__all__ = ["Capture"]

#: Longer than a child is given to end.
_PATIENCE_S = 1.9


class Capture(Owned):
    """Captures in the background; ``take`` gives the newest frame.

    A camera is opened in a process of its own, which can be killed: one that hangs, dies or is
    unplugged is reported to the listener and opened again, with growing pauses, until it is back.
    Everything else is read by a thread.

    Args:
        uri: of the source; see ``edge.sources.open_source``.
        listener: is told ``camera.lost``, ``camera.back``, and ``input`` for a picture that was
            stepped over; from another thread.
        settings: how patient to be with a camera.
        drop: of a source that keeps its own time, the newest frame wins; else every frame waits
            its turn. A camera's frames never wait, and those of a source that gives a frame when
            it is asked for one are never dropped.

    Attributes:
        uri: as it was given.
        live: whether the source has no end of its own.

    Raises:
        EdgeError: the source cannot be; see ``edge.sources.open_source``. A camera that is not
            there is no error: it may come.
    """

    def __init__(
        self,
        uri: str,
        *,
        listener: Listener,
        settings: CaptureSettings = CaptureSettings(),  # noqa: B008 - frozen
        drop: bool = True,
    ) -> None:
        self.uri = uri
        self._mailbox = Mailbox()
        self._feed: Camera | Playing
        options = check_camera(uri)
        if options is not None:
            self.live = True
            self._status = Status(shown(uri), options.fps or 25.0, listener)
            self._feed = Camera(uri, self._mailbox, self._status, settings)
        else:
            source = open_source(uri, report=lambda fault: self._status.stepped_over(fault))
            self.live = source.live
            self._status = Status(shown(uri), source.fps, listener)
            dropping = drop and source.paced
            self._feed = Playing(source, self._mailbox, self._status, drop=dropping)
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)
        self._thread.start()

    @property
    def fps(self) -> float:
        """Frames a second that the source states, or what is usual."""
        return self._status.fps

    @property
    def state(self) -> str:
        """``opening`` until the first frame, ``running``, ``lost``, or ``ended``."""
        return "ended" if self._mailbox.ended else self._status.state

    @property
    def ended(self) -> bool:
        """Whether ``take`` has given all that it ever will."""
        return self._mailbox.ended

    @property
    def captured(self) -> int:
        """Number of frames that the source has given."""
        return self._mailbox.captured

    @property
    def dropped(self) -> int:
        """Number of those that nobody took before a newer one came."""
        return self._mailbox.dropped

    @property
    def reopened(self) -> int:
        """How often a lost camera gave frames again."""
        return self._status.reopened

    def take(self, timeout_s: float) -> Frame | None:
        """Take the newest frame that nobody has taken.

        Args:
            timeout_s: how long to wait for one.

        Returns:
            None when none came in time or the source has ended.

        Raises:
            EdgeError: no more frames will come, and this is why: a mistake in the URI, a library
                that is missing, a damaged file. It is raised once, after the last frame.
        """
        return self._mailbox.take(timeout_s)

    def close(self) -> None:
        """End the capture within two seconds, whatever the camera does."""
        self._feed.stop()
        self._mailbox.close()
        self._thread.join(_PATIENCE_S)

    def _run(self) -> None:
        try:
            self._feed.run()
        except Exception as error:  # told to whoever takes frames
            self._mailbox.end(error)
        else:
            self._mailbox.end()
