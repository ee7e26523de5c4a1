"""What every source is: an iterator of frames that can be closed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator

from edge.errors import EdgeError, UnavailableError, UsageError
from edge.frames import Frame
from edge.owned import Owned

__all__ = ["LibraryMissing", "Report", "Source"]

#: Called at once with every fault that a source steps over.
Report = Callable[[EdgeError], None]


class LibraryMissing(UnavailableError):
    """What opens such a source is not installed; no wait mends that."""


class Source(Owned, ABC):
    """Frames of one origin, in order, once.

    Attributes:
        uri: what the user named.
        live: whether it has no end of its own: a camera, or endless drawn frames.
        paced: whether its frames come when they are captured, not when they are asked for.
        total: number of frames, where that is known beforehand.
        fps: frames a second, for a video that is written from this source.
        skipped: the faults stepped over so far; each was reported when it happened.
    """

    uri: str
    live: bool = False
    paced: bool = False
    total: int | None = None
    fps: float = 25.0
    skipped: list[EdgeError]

    def __init__(self, uri: str, *, report: Report | None = None) -> None:
        self.uri = uri
        self.skipped = []
        self._report = report
        self._closed = False

    def __iter__(self) -> Iterator[Frame]:
        """Give the frames.

        Raises:
            UsageError: the source is closed.
            EdgeError: nothing (more) can be read; a fault that leaves other frames readable is
                skipped and reported instead.
        """
        if self._closed:
            raise UsageError(f"{self.uri}: the source is closed", code="source.closed")
        return self._frames()

    @abstractmethod
    def _frames(self) -> Iterator[Frame]:
        """Give the frames of an open source, as ``__iter__`` says."""

    def skip(self, fault: EdgeError) -> None:
        """Note a fault, report it and go on."""
        self.skipped.append(fault)
        if self._report is not None:
            self._report(fault)

    def close(self) -> None:
        """Give back what is held; a second call does nothing."""
        self._closed = True
