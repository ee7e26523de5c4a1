"""The capture process: opens a camera, puts its frames into the ring, and opens it again.

``edge.capture.child`` starts it as ``python -m edge.capture.worker N``, where N is the descriptor
of the socket through which it is told everything else: no argument names a camera or a secret, and
nothing is written to any disk. It ends when its parent asks, when the socket breaks, and, by the
kernel, when the parent dies, even if a driver never returns from a call.
"""

from __future__ import annotations

import ctypes
import math
import os
import signal
import socket
import sys
import time

from edge.capture.messages import (
    MAX_BYTES,
    Captured,
    Free,
    Lost,
    Message,
    Opened,
    Opening,
    Task,
    Waiting,
    decode_free,
    decode_task,
    encode,
)
from edge.capture.pauses import Pauses
from edge.capture.presence import Presence
from edge.capture.ring import SLOTS, Layout, Ring
from edge.errors import DataError, EdgeError, TransientError, UnavailableError, UsageError
from edge.frames import Frame
from edge.query import shown
from edge.sources import device_of, open_source
from edge.sources.base import LibraryMissing

__all__ = ["Worker", "main"]

#: prctl(2): the signal that the kernel sends when the thread that started this process ends.
_PR_SET_PDEATHSIG = 1
#: How often a pause looks for the camera and for the parent.
_LOOK_S = 0.05
#: How often a pause says that all is well; three times within the shortest ``stall_s``.
_BEAT_S = 0.3
#: What may be otherwise at the next attempt; any other error is a mistake that stays one.
_PASSING = (TransientError, UnavailableError)


class _ParentGone(Exception):
    """Nobody listens any more, or nobody wants more frames."""


class Worker:
    """One source, opened as often as it takes.

    Args:
        link: SOCK_SEQPACKET socket to the parent.
        task: what to do.
    """

    def __init__(self, link: socket.socket, task: Task) -> None:
        self._link = link
        self._task = task
        self._pauses = Pauses(task.first_pause_s, task.longest_pause_s)
        self._presence = Presence(device_of(task.uri))
        self._ring: Ring | None = None
        self._generation = 0
        self._free: list[int] = []
        self._index = 0
        self._opened_s = math.inf

    def run(self) -> None:
        """Capture until the parent wants no more, or the source has an error that stays."""
        try:
            final = False
            while not final:
                self._tell(Opening())
                # Before it is opened: what comes while an attempt fails is seen after it.
                self._presence.look()
                self._opened_s = math.inf
                error = self._capture()
                ran_s = max(0.0, time.monotonic() - self._opened_s)
                final = not isinstance(error, _PASSING) or isinstance(error, LibraryMissing)
                self._tell(Lost(error, final))
                if not final:
                    self._pause(self._pauses.next(ran_s))
        except _ParentGone:
            pass
        finally:
            self._drop_ring()

    def _capture(self) -> EdgeError:
        """Give the source's frames; return why there are no more."""
        try:
            with open_source(self._task.uri) as source:
                self._opened_s = time.monotonic()
                self._drop_ring()
                for frame in source:
                    self._give(frame, source.fps)
        except EdgeError as error:
            return error
        except _ParentGone:
            raise
        except Exception as error:
            # A camera's library may raise what it likes, and the camera be well the next time.
            what = f"{shown(self._task.uri)}: {type(error).__name__}: {error}"
            return TransientError(what, code="capture.internal")
        return TransientError(f"{shown(self._task.uri)}: the stream ended", code="capture.ended")

    def _give(self, frame: Frame, fps: float) -> None:
        """Put a frame into a free slot; without one, only its number goes on."""
        try:
            layout = Layout.of(frame)
        except ValueError as error:
            raise DataError(
                f"{shown(self._task.uri)}: {error}",
                hint="ask the camera for a smaller width and height",
                code="capture.size",
            ) from error
        if self._ring is None or self._ring.layout != layout:
            self._open_ring(layout, fps)
        self._hear()
        if self._free and self._ring is not None:
            slot = self._free.pop()
            self._ring.write(slot, frame)
            self._tell(Captured(self._generation, slot, self._index, frame.captured_ns))
        self._index += 1

    def _open_ring(self, layout: Layout, fps: float) -> None:
        self._drop_ring()
        self._generation += 1
        self._ring = Ring.make(layout)
        self._free = list(range(SLOTS))
        self._tell(Opened(self._generation, layout, fps), self._ring.handle)

    def _drop_ring(self) -> None:
        if self._ring is not None:
            self._ring.close()
            self._ring = None

    def _hear(self, timeout_s: float = 0.0) -> None:
        """Take back the slots that the parent has done with."""
        self._link.settimeout(timeout_s)
        while True:
            try:
                content = self._link.recv(MAX_BYTES)
            except (BlockingIOError, TimeoutError):
                return
            except OSError as error:
                raise _ParentGone from error
            if not content:
                raise _ParentGone
            freed = decode_free(content)
            self._take_back(freed)
            self._link.settimeout(0.0)

    def _take_back(self, freed: Free) -> None:
        if freed.generation == self._generation and freed.slot not in self._free:
            self._free.append(freed.slot)

    def _tell(self, message: Message, handle: int | None = None) -> None:
        """Send a message; a parent that does not read has room for hundreds and is then waited for.

        It is stopped, then, and so is this: frames that nobody takes need not be captured.
        """
        self._link.settimeout(None)
        try:
            if handle is None:
                self._link.send(encode(message))
            else:
                socket.send_fds(self._link, [encode(message)], [handle])
        except OSError as error:
            raise _ParentGone from error

    def _pause(self, pause_s: float) -> None:
        """Wait, say so, and stop waiting at once when the device comes."""
        end = time.monotonic() + pause_s
        beat = 0.0
        while (now := time.monotonic()) < end:
            if now >= beat:
                self._tell(Waiting())
                beat = now + _BEAT_S
            if self._presence.came():
                self._pauses.reset()  # it may need some attempts until its driver is ready
                return
            self._hear(min(_LOOK_S, end - now))


def main(arguments: list[str]) -> int:
    """Do what the parent says.

    Args:
        arguments: the number of the socket's descriptor.

    Returns:
        0, or 64 when this was not started by a capture.
    """
    try:
        link = socket.socket(fileno=int(arguments[0]))
        if link.family != socket.AF_UNIX or link.type != socket.SOCK_SEQPACKET:
            raise ValueError("another socket")
        task = decode_task(link.recv(MAX_BYTES))
    except (IndexError, ValueError, OSError):
        print("edge.capture.worker is started by edge.capture only", file=sys.stderr)
        return UsageError.exit_code
    # A terminal and systemd send these to every process of the service; this one ends with its
    # parent, which has a frame in hand to finish.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _die_with(task.parent)
    with link:
        Worker(link, task).run()
    return 0


def _die_with(parent: int) -> None:
    """Have the kernel kill this process when the parent dies; leave at once if it has already."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0):
        print(f"prctl: {os.strerror(ctypes.get_errno())}", file=sys.stderr)
    if os.getppid() != parent:
        raise SystemExit(0)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
