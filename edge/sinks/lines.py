"""Places that take whole lines: a stream, and a file that appears when it is finished."""

from __future__ import annotations

import os
from typing import Protocol

from edge.sinks.base import part_beside, put_in_place

__all__ = ["Lines", "Stream", "WholeFile", "write_all"]


class Lines(Protocol):
    """Takes lines, each with its end, and is finished or discarded.

    Everything raises ``OSError`` as the system says it.
    """

    def write(self, line: bytes) -> None:
        """Take one line."""

    def close(self) -> None:
        """Put what was promised in its place; a second call does nothing."""

    def discard(self) -> None:
        """Take back what is not whole."""


class Stream:
    """Standard output, a pipe or a device: every line is written at once.

    Args:
        handle: a descriptor, which this object closes.
    """

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def write(self, line: bytes) -> None:
        """Take one line.

        Raises:
            BrokenPipeError: whoever read it has gone.
        """
        write_all(self._handle, line)

    def close(self) -> None:
        """Give the descriptor back."""
        if self._handle >= 0:
            handle, self._handle = self._handle, -1
            os.close(handle)

    def discard(self) -> None:
        """Give the descriptor back; what was written is with its reader."""
        self.close()


class WholeFile:
    """A file that appears when it is whole, in place of an older one.

    Args:
        path: of the file.

    Raises:
        OutputError: the target is a folder, or its folder is missing.
    """

    def __init__(self, path: str) -> None:
        self._target, self._part = part_beside(path)
        self._handle = os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)

    def write(self, line: bytes) -> None:
        """Take one line."""
        write_all(self._handle, line)

    def close(self) -> None:
        """Sync the file and give it its name."""
        if self._handle < 0:
            return
        try:
            self._release()
            put_in_place(self._part, self._target)
        finally:
            self._remove_part()

    def discard(self) -> None:
        """Leave the older file, if any, as it was."""
        if self._handle >= 0:
            try:
                self._release()
            finally:
                self._remove_part()

    def _release(self) -> None:
        handle, self._handle = self._handle, -1
        os.close(handle)

    def _remove_part(self) -> None:
        if os.path.exists(self._part):
            os.unlink(self._part)


def write_all(handle: int, content: bytes) -> None:
    """Write all of it: a pipe and a disk that fills up take less at once."""
    left = memoryview(content)
    while left:
        left = left[os.write(handle, left) :]
