"""A file of lines that grows for months: whole lines only, rotated, synced as asked."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time

from edge.errors import OutputError
from edge.sinks.base import sync_path
from edge.sinks.lines import write_all

__all__ = ["Log"]

#: No line is longer (32 faces with 68 points each are 60 KB), so that a torn one is found in here.
_MAX_LINE_BYTES = 1 << 20


class Log:
    """Appends lines, each by one system call, so that a reader never sees half a line.

    A line that a crash or a full disk tore is completed or cut when the log is opened, and a line
    that the disk has no room for is taken back. ``PATH`` becomes ``PATH.1`` when it is full, and
    the oldest goes.

    Args:
        path: of the file; a link stays a link.
        begins: what every line begins with; a file whose torn end begins otherwise is not ours.
        rotate_bytes: longest file; 0 for no bound.
        keep: how many full files stay.
        fsync: ``no`` leaves it to the system, ``line`` syncs every line before the next one is
            taken, ``second`` with the first line that comes a second after the last sync.

    Attributes:
        repaired: what was done to a torn line, in words; empty when there was none.

    Raises:
        OSError: as the system says it.
        OutputError: it is being written already, or it is no log.
    """

    def __init__(
        self,
        path: str,
        *,
        begins: bytes,
        rotate_bytes: int = 0,
        keep: int = 5,
        fsync: str = "no",
    ) -> None:
        self._path, self._shown = os.path.realpath(path), path
        self._rotate_bytes, self._keep, self._fsync = rotate_bytes, keep, fsync
        self._synced_s = time.monotonic()
        self._handle = _open(self._path, path)
        try:
            self.repaired = _repair(self._handle, path, begins)
        except BaseException:
            self.close()
            raise

    def write(self, line: bytes) -> None:
        """Append one line; when that fails, nothing of it stays."""
        size = os.fstat(self._handle).st_size
        if self._rotate_bytes and size and size + len(line) > self._rotate_bytes:
            self._rotate()
            size = 0
        try:
            write_all(self._handle, line)
        except BaseException:
            with contextlib.suppress(OSError):
                os.ftruncate(self._handle, size)
            raise
        if self._fsync == "line" or (
            self._fsync == "second" and time.monotonic() - self._synced_s >= 1
        ):
            self._sync()

    def close(self) -> None:
        """Sync what the policy promises and give the file back; a second call does nothing."""
        if self._handle < 0:
            return
        try:
            if self._fsync != "no":
                self._sync()
        finally:
            handle, self._handle = self._handle, -1
            os.close(handle)

    def discard(self) -> None:
        """Give the file back; lines stay written."""
        self.close()

    def _sync(self) -> None:
        os.fdatasync(self._handle)
        self._synced_s = time.monotonic()

    def _rotate(self) -> None:
        """Number the full files on, the newest is ``PATH.1``; a crash leaves a gap, no loss."""
        number = self._keep
        while os.path.lexists(f"{self._path}.{number}"):
            os.unlink(f"{self._path}.{number}")
            number += 1
        for number in range(self._keep - 1, 0, -1):
            if os.path.lexists(f"{self._path}.{number}"):
                os.rename(f"{self._path}.{number}", f"{self._path}.{number + 1}")
        self.close()
        os.rename(self._path, f"{self._path}.1")
        self._handle = _open(self._path, self._shown)
        if self._fsync != "no":
            sync_path(os.path.dirname(self._path))


def _open(path: str, shown: str) -> int:
    """Open for appending, and hold it alone: two processes would cut each other's lines."""
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    handle = os.open(path, flags, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise OutputError(
            f"{shown}: this file is being written already, here or by another process",
            hint=f"name another one, or see who has it with: fuser -v {shown}",
            code="sink.busy",
        ) from error
    except OSError:
        pass  # a file system without locks, such as some network shares
    return handle


def _repair(handle: int, shown: str, begins: bytes) -> str:
    """Complete or cut a last line without an end; say what was done."""
    size = os.fstat(handle).st_size
    start = max(0, size - _MAX_LINE_BYTES)
    content = os.pread(handle, size - start, start)
    torn = content[content.rfind(b"\n") + 1 :]
    if not torn:
        return ""
    ours = torn.startswith(begins[: len(torn)]) or not torn.strip(b"\0")
    if not ours or (len(torn) == len(content) and start > 0):
        raise OutputError(
            f"{shown}: ends in something that is no line of results",
            hint="name another file, so that nothing is cut from this one",
            code="sink.foreign",
        )
    if _is_json(torn):
        write_all(handle, b"\n")
        return f"{shown}: the last line lacked its end, which was added"
    os.ftruncate(handle, size - len(torn))
    return f"{shown}: the last line was torn; {len(torn)} bytes of it were cut"


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True
