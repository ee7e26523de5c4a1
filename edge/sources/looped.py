"""A video, a folder or a picture that plays like a camera: at its own pace, round and round.

``file:///srv/clips/door.mp4?loop=1&pace=1``; the path is written as in any URI (``%20`` is a
space), and may be relative: ``file://clips/door.mp4?loop=1``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from urllib.parse import unquote

from edge.errors import DataError, UsageError
from edge.frames import Frame
from edge.query import shown
from edge.settings import setting
from edge.sources.base import Report, Source
from edge.sources.camera import split_uri
from edge.sources.options import View, fit, turn

__all__ = ["LoopedSource", "LoopedView"]

#: A pace that fell behind by more begins anew instead of hurrying.
_MAX_LATE_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class LoopedView(View):
    """The keys of a file that plays."""

    loop: bool = setting(False, "begin again at the end")
    pace: bool = setting(False, "give each frame when it is due, as a camera does")


class LoopedSource(Source):
    """Plays what a path names.

    Args:
        uri: ``file://`` and a path.
        open_path: opens a plain path as a source; each round anew.
        report: called with every fault that is stepped over, in the first round only.

    Raises:
        UsageError: the URI cannot be.
        EdgeError: as ``open_path`` says.
    """

    def __init__(
        self, uri: str, open_path: Callable[[str, Report | None], Source], report: Report | None
    ) -> None:
        path, view = split_uri(uri, "file", LoopedView)
        super().__init__(shown(uri), report=report)
        self._path = unquote(path)
        if "\0" in self._path:
            raise UsageError(f"{self.uri}: names no file", code="source.uri")
        self._open_path = open_path
        self._view = view
        self._round = open_path(self._path, self.skip)
        self.live = view.loop
        self.paced = view.pace
        self.total = None if view.loop else self._round.total
        self.fps = view.fps or self._round.fps

    def close(self) -> None:
        """Close the file."""
        super().close()
        self._round.close()

    def _frames(self) -> Iterator[Frame]:
        index = 0
        for frame in self._rounds():
            image = turn(fit(frame.image, self._view), self._view)
            yield replace(frame, image=image, index=index, captured_ns=time.monotonic_ns())
            index += 1

    def _rounds(self) -> Iterator[Frame]:
        """Give the frames of round after round, each when it is due."""
        period_ns = int(1e9 / self.fps)
        due_ns = time.monotonic_ns()
        while not self._closed:
            count = 0
            for frame in self._round:
                if self._view.pace:
                    due_ns = _wait_until(due_ns) + period_ns
                yield frame
                count += 1
            self._round.close()
            if not self._view.loop:
                return
            if count == 0:
                raise DataError(f"{self.uri}: nothing in it can be used", code="source.nothing")
            self._round = self._open_path(self._path, None)


def _wait_until(due_ns: int) -> int:
    """Sleep until a time of the monotonic clock; return it, or now when it is long past."""
    late_ns = time.monotonic_ns() - due_ns
    if late_ns > _MAX_LATE_NS:
        return due_ns + late_ns
    time.sleep(max(0, -late_ns) / 1e9)
    return due_ns
