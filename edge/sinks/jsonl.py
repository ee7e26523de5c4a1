"""A line of JSON a frame; docs/results.md describes the line."""

from __future__ import annotations

import json
import os
import stat

from edge.frames import Frame
from edge.results import FrameResult
from edge.sinks.base import Sink, not_written, part_beside, put_in_place

__all__ = ["JsonlSink"]


class JsonlSink(Sink):
    """Lines into a file, a pipe, a device or standard output.

    For a source with an end the file appears when it is whole, in place of an older one. For a
    live source, and for whatever is no plain file, every line is written at once by one system
    call, so that a reader never sees half a line; a plain file is then appended to.

    Args:
        path: of the file; ``-`` is standard output.
        live: whether the source has no end.

    Raises:
        OutputError: the place cannot be written to.
    """

    def __init__(self, path: str, *, live: bool = False) -> None:
        self._path = "standard output" if path == "-" else path
        self._target, self._part = "", ""
        try:
            if path == "-":
                self._handle = os.dup(1)
            elif live or _is_stream(path):
                flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
                self._handle = os.open(path, flags, 0o644)
            else:
                self._target, self._part = part_beside(path)
                self._handle = os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        except OSError as error:
            raise not_written(self._path, error) from error

    def write(self, frame: Frame, result: FrameResult) -> None:
        """Write one line.

        Raises:
            OutputError: it cannot be written.
            BrokenPipeError: whoever read standard output or the pipe has gone.
        """
        line = json.dumps(result.to_json(), ensure_ascii=False, allow_nan=False) + "\n"
        left = memoryview(line.encode("utf-8", "surrogateescape"))
        try:
            while left:
                left = left[os.write(self._handle, left) :]
        except BrokenPipeError:
            raise
        except OSError as error:
            raise not_written(self._path, error) from error

    def close(self) -> None:
        """Put the file in its place."""
        if self._handle < 0:
            return
        try:
            self._release()
            if self._part:
                put_in_place(self._part, self._target)
        except OSError as error:
            raise not_written(self._path, error) from error
        finally:
            self._remove_part()

    def discard(self) -> None:
        """Leave the older file, if any, as it was; lines written at once stay written."""
        if self._handle >= 0:
            try:
                self._release()
            except OSError:
                pass  # the error that led here is the one to tell
            self._remove_part()

    def _release(self) -> None:
        handle, self._handle = self._handle, -1
        os.close(handle)

    def _remove_part(self) -> None:
        if self._part and os.path.exists(self._part):
            os.unlink(self._part)


def _is_stream(path: str) -> bool:
    """Tell whether a path is there and is no plain file: a pipe, /dev/null."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))
