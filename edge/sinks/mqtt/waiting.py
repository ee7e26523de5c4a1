"""Records that the broker has not confirmed yet: the interface, and a short list in memory."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import Protocol

__all__ = ["MemoryWaiting", "Record", "Waiting"]


@dataclass(frozen=True, slots=True)
class Record:
    """A message on its way.

    Attributes:
        number: running, from 1; it orders the records.
        topic: below the sink's own topic.
        payload: JSON.
    """

    number: int
    topic: str
    payload: bytes


class Waiting(Protocol):
    """Records in their order; one thread appends while another takes and confirms.

    Attributes:
        dropped: how many were given up, the oldest, because there was no room.
    """

    dropped: int

    def append(self, topic: str, payload: bytes) -> None:
        """Take a record.

        Raises:
            OSError: there is no room on the disk.
        """

    def after(self, number: int) -> Record | None:
        """Return the first record whose number is larger; None when there is none yet."""

    def confirm(self, number: int) -> None:
        """Forget every record up to this number, included."""

    def __len__(self) -> int:
        """Return how many wait."""

    def sync(self) -> None:
        """Make a power cut as harmless as a crash for what was appended."""

    def close(self) -> None:
        """Give back what is held; a second call does nothing."""


class MemoryWaiting:
    """A bounded list in memory.

    Args:
        limit: how many records.
    """

    def __init__(self, *, limit: int = 1000) -> None:
        self.dropped = 0
        self._records: deque[Record] = deque()
        self._limit, self._last = limit, 0
        self._lock = threading.Lock()

    def append(self, topic: str, payload: bytes) -> None:
        """Take a record, and drop the oldest when there are too many."""
        with self._lock:
            self._last += 1
            self._records.append(Record(self._last, topic, payload))
            if len(self._records) > self._limit:
                self._records.popleft()
                self.dropped += 1

    def after(self, number: int) -> Record | None:
        """Return the first record whose number is larger."""
        with self._lock:
            if not self._records:
                return None
            place = max(0, number + 1 - self._records[0].number)
            return self._records[place] if place < len(self._records) else None

    def confirm(self, number: int) -> None:
        """Forget every record up to this number."""
        with self._lock:
            while self._records and self._records[0].number <= number:
                self._records.popleft()

    def __len__(self) -> int:
        return len(self._records)

    def sync(self) -> None:
        """Do nothing: memory is lost with the power."""

    def close(self) -> None:
        """Do nothing."""
