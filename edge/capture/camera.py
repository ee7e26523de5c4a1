"""One thread that keeps a capture process at work: what it says, its silence, its death."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from edge.capture.child import Child, ChildEnded
from edge.capture.mailbox import Held, Mailbox
from edge.capture.messages import Captured, Free, Lost, Message, Opened, Opening
from edge.capture.pauses import Pauses
from edge.capture.ring import Ring
from edge.capture.settings import CaptureSettings
from edge.capture.status import Status
from edge.errors import EdgeError, TransientError
from edge.frames import Frame

__all__ = ["Camera"]

#: How often the thread looks whether it is to end.
_LOOK_S = 0.2


@dataclass(slots=True)
class _Run:
    """What one child has said so far."""

    child: Child
    ring: Ring | None = None
    generation: int = 0
    opening: bool = True
    fps: float = 0.0
    heard_at: float = field(default_factory=time.monotonic)


class Camera:
    """Supervises the capture process of one camera.

    Args:
        uri: of the camera.
        mailbox: where its frames go.
        status: where its state goes.
        settings: how patient to be.
    """

    def __init__(
        self, uri: str, mailbox: Mailbox, status: Status, settings: CaptureSettings
    ) -> None:
        self._uri = uri
        self._mailbox = mailbox
        self._status = status
        self._settings = settings
        self._closing = threading.Event()
        self._next_index = 0
        self._child: Child | None = None

    def run(self) -> None:
        """Keep frames coming until ``stop``, or until the camera has an error that stays.

        Raises:
            EdgeError: such an error.
        """
        pauses = Pauses(self._settings.first_pause_s, self._settings.longest_pause_s)
        while not self._closing.is_set():
            began = time.monotonic()
            self._next_index = self._mailbox.captured
            fault = self._run_child()
            if fault is not None:
                self._status.lost(fault)
                self._closing.wait(pauses.next(time.monotonic() - began))
                self._await_its_end()

    def stop(self) -> None:
        """Have ``run`` return soon."""
        self._closing.set()

    def _run_child(self) -> EdgeError | None:
        """Start a child and follow it to its end; return why it ended, None when it was asked."""
        settings = self._settings
        try:
            child = Child(
                self._uri,
                first_pause_s=settings.first_pause_s,
                longest_pause_s=settings.longest_pause_s,
            )
        except OSError as error:
            return self._fault(f"no capture process starts: {error.strerror}", "capture.start")
        self._child, run = child, _Run(child)
        try:
            self._follow(run)
        except ChildEnded as end:
            child.kill()
            if child.is_gone:
                return self._fault(f"the capture process failed: {end}", end.code)
            held = f"its driver holds the capture process, which cannot be ended: {end}"
            hint = "pull the camera out and put it in again, or restart the machine"
            return self._fault(held, "capture.held", hint=hint)
        finally:
            child.close()
        return None

    def _await_its_end(self) -> None:
        """Wait for a child that a driver holds: one more each time would fill the memory."""
        while self._child is not None and not (self._child.is_gone or self._closing.is_set()):
            self._closing.wait(_LOOK_S)
        self._child = None

    def _follow(self, run: _Run) -> None:
        """Hear a child until this is to end.

        Raises:
            ChildEnded: it died, was silent for too long, or spoke nonsense.
            EdgeError: its camera has an error that stays.
        """
        while not self._closing.is_set():
            heard = run.child.hear(_LOOK_S)
            if heard is None:
                silent_s = time.monotonic() - run.heard_at
                if silent_s > self._patience_s(run):
                    raise ChildEnded(f"silent for {silent_s:.1f} s", "capture.stalled")
                continue
            run.heard_at = time.monotonic()
            self._take_in(run, *heard)

    def _take_in(self, run: _Run, message: Message, ring: Ring | None) -> None:
        run.opening = isinstance(message, Opening)
        if isinstance(message, Captured):
            self._frame(run, message)
        elif isinstance(message, Opened) and ring is not None:
            ring.close()
            run.ring, run.generation, run.fps = ring, message.generation, message.fps
            self._status.fps = message.fps or self._status.fps
        elif isinstance(message, Lost):
            if message.final:
                raise message.error
            self._status.lost(message.error)

    def _frame(self, run: _Run, captured: Captured) -> None:
        """Leave a frame in the mailbox; its pixels stay in the ring until somebody takes it."""
        ring, child = run.ring, run.child
        if ring is None or captured.generation != run.generation:
            raise ChildEnded("it spoke nonsense: a frame of another ring", "capture.nonsense")
        index = self._next_index + captured.index

        def drop() -> None:
            child.free(Free(captured.generation, captured.slot))

        def frame() -> Frame:
            image, small = ring.read(captured.slot)
            drop()
            return Frame(
                image=image,
                index=index,
                captured_ns=captured.captured_ns,
                source=self._status.uri,
                small=small,
            )

        self._mailbox.put(Held(index, frame, drop))
        self._status.frame_came()

    def _patience_s(self, run: _Run) -> float:
        if run.opening:
            return max(self._settings.open_s, self._settings.stall_s)
        return max(self._settings.stall_s, 3 / run.fps if run.fps else 0.0)

    def _fault(self, what: str, code: str, *, hint: str = "") -> EdgeError:
        return TransientError(f"{self._status.uri}: {what}", hint=hint, code=code)
