"""The last results, kept in the process."""

from __future__ import annotations

from collections import deque

from edge.frames import Frame
from edge.results import FrameResult
from edge.sinks.base import Sink

__all__ = ["MemorySink"]


class MemorySink(Sink):
    """Keeps the last results, for programs and tests; never a frame's picture.

    Args:
        limit: how many; a bound for sources without an end.

    Attributes:
        results: the oldest first.
    """

    def __init__(self, *, limit: int = 1000) -> None:
        self.results: deque[FrameResult] = deque(maxlen=limit)

    def write(self, frame: Frame, result: FrameResult) -> None:
        """Keep one result."""
        self.results.append(result)

    def close(self) -> None:
        """Do nothing: the results stay."""
