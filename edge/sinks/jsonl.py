"""A line of JSON a frame; docs/results.md describes the line, docs/sinks.md the options."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass

from edge.errors import UsageError
from edge.events import Event, Listener
from edge.frames import Frame
from edge.results import SCHEMA, FrameResult
from edge.settings import setting
from edge.sinks.base import Sink, not_written
from edge.sinks.lines import Lines, Stream, WholeFile
from edge.sinks.log import Log

__all__ = ["JsonlOptions", "JsonlSink"]

#: What every line begins with, whatever the version of the schema.
_BEGINS = f'{{"schema": "{SCHEMA.partition("/")[0]}/'.encode()
_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class JsonlOptions:
    """What may stand behind the ``?`` of ``jsonl:PATH``."""

    rotate_mib: float = setting(
        0.0, "a live source's file is renamed PATH.1 before it grows beyond this; 0: never", low=0
    )
    keep: int = setting(5, "how many renamed files stay", low=1, high=1000)
    fsync: str = setting("no", "when a line must be on the disk", choices=("no", "line", "second"))


class JsonlSink(Sink):
    """Lines into a file, a pipe, a device or standard output.

    For a source with an end the file appears when it is whole, in place of an older one. For a
    live source, and for whatever is no plain file, every line is written at once by one system
    call, so that a reader never sees half a line; a plain file is then appended to.

    Args:
        path: of the file; ``-`` is standard output.
        live: whether the source has no end.
        options: of a live source's file; one that appears whole is synced as it is, and has no
            use for them.
        listener: hears that a torn line was mended.

    Raises:
        UsageError: options that only a plain file can have.
        OutputError: the place cannot be written to.
    """

    def __init__(
        self,
        path: str,
        *,
        live: bool = False,
        options: JsonlOptions | None = None,
        listener: Listener | None = None,
    ) -> None:
        self._path = "standard output" if path == "-" else path
        try:
            self._lines = _open(path, live, options or JsonlOptions(), listener)
        except OSError as error:
            raise not_written(self._path, error) from error

    def write(self, frame: Frame, result: FrameResult) -> None:
        """Write one line.

        Raises:
            OutputError: it cannot be written; nothing of it is in a file then.
            BrokenPipeError: whoever read standard output or the pipe has gone.
        """
        line = json.dumps(result.to_json(), ensure_ascii=False, allow_nan=False) + "\n"
        try:
            self._lines.write(line.encode("utf-8", "surrogateescape"))
        except BrokenPipeError:
            raise
        except OSError as error:
            raise not_written(self._path, error) from error

    def close(self) -> None:
        """Put the file in its place."""
        try:
            self._lines.close()
        except OSError as error:
            raise not_written(self._path, error) from error

    def discard(self) -> None:
        """Leave the older file, if any, as it was; lines written at once stay written."""
        try:
            self._lines.discard()
        except OSError:
            pass  # the error that led here is the one to tell


def _open(path: str, live: bool, options: JsonlOptions, listener: Listener | None) -> Lines:
    stream = path == "-" or _is_stream(path)
    if stream and (options.rotate_mib or options.fsync != "no"):
        raise UsageError(
            f"jsonl:{path}: only a plain file is rotated or synced",
            hint="leave rotate_mib and fsync out, or name a file",
            code="sink.query",
        )
    if path == "-":
        return Stream(os.dup(1))
    if stream:
        return Stream(os.open(path, os.O_WRONLY | os.O_CLOEXEC))
    if not live:
        return WholeFile(path)
    log = Log(
        path,
        begins=_BEGINS,
        rotate_bytes=int(options.rotate_mib * _MIB),
        keep=options.keep,
        fsync=options.fsync,
    )
    if log.repaired and listener is not None:
        listener(Event("sink", log.repaired, "sink.torn"))
    return log


def _is_stream(path: str) -> bool:
    """Tell whether a path is there and is no plain file: a pipe, /dev/null."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))
