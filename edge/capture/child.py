"""The parent's end of a capture process: start it, hear it, end it whatever it does."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import sys
import threading

from edge.capture.messages import (
    MAX_BYTES,
    Free,
    Message,
    Opened,
    Task,
    decode,
    encode,
)
from edge.capture.ring import Ring
from edge.owned import Owned

__all__ = ["Child", "ChildEnded"]

#: A child that is asked to end has so long to give its camera back; some need half a second.
_PATIENCE_S = 1.0
#: What SIGKILL needs, unless a driver holds the process: then it is left behind.
_KILLED_S = 0.5
#: OpenCV waits 10 s for a frame of a V4L2 device by default; its own error says more than ours.
_ENVIRONMENT = {"OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT": "2", "PYTHONSAFEPATH": "1"}


class ChildEnded(Exception):
    """It has ended, or it speaks nonsense and has to.

    Args:
        why: one clause.
        code: ``capture.died`` or ``capture.nonsense``.
    """

    def __init__(self, why: str, code: str) -> None:
        super().__init__(why)
        self.code = code


class Child(Owned):
    """A running capture process.

    It must be made by a thread that outlives it: the kernel ends it with that thread.

    Args:
        uri: of the camera.
        first_pause_s, longest_pause_s: as in ``CaptureSettings``.

    Raises:
        OSError: no process can be started.
    """

    def __init__(self, uri: str, *, first_pause_s: float, longest_pause_s: float) -> None:
        self._link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # What the libraries of a camera print helps whoever looks for a defect, and nobody else.
        errors = None if sys.flags.dev_mode else subprocess.DEVNULL
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "edge.capture.worker", str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env={**os.environ, **_ENVIRONMENT, "PYTHONPATH": _search_path()},
                start_new_session=True,
            )
        except BaseException:
            self._link.close()
            raise
        finally:
            theirs.close()
        self.pid = self._process.pid
        # A slot is given back by whoever takes frames; never into a descriptor that was closed
        # meanwhile and is something else by now.
        self._sending = threading.Lock()
        task = Task(uri, os.getpid(), first_pause_s, longest_pause_s)
        with contextlib.suppress(OSError):  # a child that died already is heard of by ``hear``
            self._link.send(encode(task))

    @property
    def is_gone(self) -> bool:
        """Whether the kernel has ended it; a driver that never returns may hold it for ever."""
        return self._process.poll() is not None

    def hear(self, timeout_s: float) -> tuple[Message, Ring | None] | None:
        """Return the next message, with the ring that came with it.

        Returns:
            None when nothing came in time.

        Raises:
            ChildEnded: nothing will come any more, or it was nonsense.
        """
        poll = select.poll()
        poll.register(self._link, select.POLLIN)
        if not poll.poll(1000 * timeout_s):
            return None
        try:
            content, handles, _, _ = socket.recv_fds(
                self._link, MAX_BYTES, 1, socket.MSG_CMSG_CLOEXEC
            )
        except OSError:
            content, handles = b"", []  # it died with messages of ours unread
        try:
            if not content:
                raise ChildEnded(self._how_it_ended(), "capture.died")
            message = decode(content)
            if len(handles) != isinstance(message, Opened):
                raise ValueError(f"{len(handles)} descriptors with a message")
            if isinstance(message, Opened):
                return message, Ring.attach(handles.pop(), message.layout)
            return message, None
        except ValueError as error:
            raise ChildEnded(f"it spoke nonsense: {error}", "capture.nonsense") from error
        finally:
            for handle in handles:
                os.close(handle)

    def free(self, freed: Free) -> None:
        """Give a slot back; from any thread."""
        # One that does not read is stopped or stuck, and is ended for that by its silence.
        with self._sending, contextlib.suppress(OSError):
            self._link.send(encode(freed), socket.MSG_DONTWAIT)

    def close(self) -> None:
        """End it: ask, then kill; within two seconds."""
        with self._sending:
            self._link.close()
        if self._process.poll() is None:
            self._wait(_PATIENCE_S)
        if self._process.poll() is None:
            self._process.kill()
            self._wait(_KILLED_S)

    def kill(self) -> None:
        """End it without asking: it has shown that it does not listen."""
        if self._process.poll() is None:
            self._process.kill()
        self.close()

    def _wait(self, patience_s: float) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(patience_s)

    def _how_it_ended(self) -> str:
        self._wait(_KILLED_S)
        status = self._process.returncode
        if status is None:
            return "it closed its socket"
        return f"signal {-status} ended it" if status < 0 else f"it ended with status {status}"


def _search_path() -> str:
    """Return this process's own search path, so that the child finds the same modules."""
    return os.pathsep.join(os.path.abspath(entry) for entry in sys.path)
