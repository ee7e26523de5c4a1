"""One thread that reads a source which needs no process of its own: a file, drawn frames."""

from __future__ import annotations

import threading

from edge.capture.mailbox import Held, Mailbox
from edge.capture.status import Status
from edge.frames import Frame
from edge.sources.base import Source

__all__ = ["Playing"]


class Playing:
    """Plays a source into a mailbox.

    Args:
        source: is closed when it has ended.
        mailbox: where its frames go.
        status: where its state goes.
        drop: frames nobody has taken when the next comes are dropped; else all wait their turn.
    """

    def __init__(self, source: Source, mailbox: Mailbox, status: Status, *, drop: bool) -> None:
        self._source = source
        self._mailbox = mailbox
        self._status = status
        self._drop = drop
        self._closing = threading.Event()

    def run(self) -> None:
        """Play to the end, or until ``stop``.

        Raises:
            EdgeError: nothing more can be read.
        """
        with self._source as source:
            for number, frame in enumerate(source):
                if self._closing.is_set() or not self._put(number, frame):
                    return

    def stop(self) -> None:
        """Have ``run`` return after the frame in hand."""
        self._closing.set()

    def _put(self, number: int, frame: Frame) -> bool:
        self._status.frame_came()
        held = Held(number, lambda: frame, lambda: None)
        if self._drop:
            self._mailbox.put(held)
            return True
        return self._mailbox.put_in_turn(held)
