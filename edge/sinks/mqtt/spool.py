"""Records on the disk until the broker has confirmed them: a bounded folder of segments.

``records-000000000001.spool`` is named after its first record. ``confirmed`` holds the number of
the last record that the broker has: it is written in place without a sync, so that after a power
cut some records may be sent twice, and none too few.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import struct
import threading
import zlib
from collections import deque

from edge.errors import OutputError
from edge.sinks.base import sync_path
from edge.sinks.mqtt.segment import MAX_RECORD_BYTES, Segment
from edge.sinks.mqtt.waiting import Record

__all__ = ["Spool"]

#: So many files at most, and so many open; the oldest goes as a whole.
_SEGMENTS = 16
#: What may stay of records that the broker has: they tell of people, and a file made and removed
#: for each record would wear a card out.
_LEFT_BYTES = 16 << 10
_NAME = re.compile(r"records-([0-9]{12})\.spool")
#: Number of a record, and zlib.crc32 of its eight bytes.
_CONFIRMED = struct.Struct(">QI")


class Spool:
    """A queue that outlives the process; one process at a time holds it.

    Args:
        folder: made with mode 0700 if it is missing.
        limit_bytes: when it is larger, the oldest segment goes.

    Attributes:
        dropped: how many records were given up for want of room or were damaged.
        cut: bytes of a torn record that were cut at the opening.

    Raises:
        OutputError: another process holds it.
        OSError: as the system says it.
    """

    def __init__(self, folder: str, *, limit_bytes: int) -> None:
        self._folder, self._limit_bytes = folder, limit_bytes
        self.dropped = 0
        self._unsynced: set[str] = set()
        self._lock = threading.Lock()
        os.makedirs(folder, mode=0o700, exist_ok=True)
        self._state = _open_alone(os.path.join(folder, "confirmed"), folder)
        self._segments: deque[Segment] = deque()
        try:
            for name in sorted(os.listdir(folder)):
                if match := _NAME.fullmatch(name):
                    path = os.path.join(folder, name)
                    self._segments.append(Segment(path, int(match[1])))
            self.cut = sum(segment.cut for segment in self._segments)
            self._confirmed = self._read_confirmed()
            self._write_confirmed()  # its place on the disk is taken while there is room
            self._forget()
            self._keep_within_limit()
        except BaseException:
            self.close()
            raise

    def append(self, topic: str, payload: bytes) -> None:
        """Write a record at the end.

        Raises:
            OSError: the disk is full; nothing of the record stays then.
            ValueError: it is too long.
        """
        content = topic.encode() + b"\n" + payload
        if len(content) > MAX_RECORD_BYTES:
            raise ValueError(f"a record has at most {MAX_RECORD_BYTES} bytes")
        with self._lock:
            segment = self._last()
            if (
                segment is None
                or segment.size + len(content) > self._limit_bytes // _SEGMENTS
                # A power cut took records whose confirmation was noted: no number comes twice.
                or segment.end <= self._confirmed
            ):
                segment = self._begin()
            segment.append(content)
            self._unsynced.add(segment.path)
            self._keep_within_limit()

    def after(self, number: int) -> Record | None:
        """Return the first record whose number is larger, and skip what is damaged."""
        with self._lock:
            number = max(number, self._confirmed)
            for segment in list(self._segments):
                wanted = max(number + 1, segment.first)
                if wanted >= segment.end:
                    continue
                content = segment.read(wanted)
                if content is not None:
                    topic, _, payload = content.partition(b"\n")
                    return Record(wanted, topic.decode("utf-8", "replace"), payload)
                self.dropped += segment.end - wanted
                self._give_up(segment)
            return None

    def confirm(self, number: int) -> None:
        """Forget every record up to this number: its segment goes with its last record."""
        with self._lock:
            if number > self._confirmed and self._state >= 0:
                self._confirmed = number
                self._write_confirmed()
                self._forget()

    def __len__(self) -> int:
        with self._lock:
            return sum(
                max(0, segment.end - max(segment.first, self._confirmed + 1))
                for segment in self._segments
            )

    def sync(self) -> None:
        """Wait until what was appended is on the disk."""
        with self._lock:
            unsynced, self._unsynced = self._unsynced, set()
        if not unsynced:
            return
        for path in (*unsynced, self._folder):  # without the lock: nobody waits for a disk
            with contextlib.suppress(FileNotFoundError):
                sync_path(path)

    def close(self) -> None:
        """Give the files back, and keep no record that the broker has; twice is once."""
        with self._lock:
            while self._state >= 0 and self._is_done():
                self._segments.popleft().remove()
            for segment in self._segments:
                segment.close()
            if self._state >= 0:
                state, self._state = self._state, -1
                os.close(state)

    def _last(self) -> Segment | None:
        return self._segments[-1] if self._segments else None

    def _begin(self) -> Segment:
        last = self._last()
        first = max(self._confirmed, last.end - 1 if last else 0) + 1
        segment = Segment(os.path.join(self._folder, f"records-{first:012d}.spool"), first)
        self._segments.append(segment)
        self._forget()
        return segment

    def _forget(self) -> None:
        """Remove segments that are confirmed as a whole; a small last one is still written to."""
        while self._is_done() and (len(self._segments) > 1 or self._segments[0].size > _LEFT_BYTES):
            self._segments.popleft().remove()

    def _is_done(self) -> bool:
        """Tell whether the broker has every record of the first segment."""
        return bool(self._segments) and self._segments[0].end <= self._confirmed + 1

    def _keep_within_limit(self) -> None:
        while len(self._segments) > 1 and sum(s.size for s in self._segments) > self._limit_bytes:
            oldest = self._segments.popleft()
            self.dropped += max(0, oldest.end - max(oldest.first, self._confirmed + 1))
            oldest.remove()

    def _give_up(self, segment: Segment) -> None:
        """Part with a segment in which a record is damaged: those behind it cannot be found."""
        end = segment.end
        self._segments.remove(segment)
        segment.remove()
        if not self._segments:  # the numbers must go on
            self._confirmed = max(self._confirmed, end - 1)
            self._write_confirmed()

    def _read_confirmed(self) -> int:
        """Return the number of the last confirmed record; a torn note counts as none."""
        content = os.pread(self._state, _CONFIRMED.size, 0)
        if len(content) == _CONFIRMED.size:
            number, checksum = _CONFIRMED.unpack(content)
            if zlib.crc32(content[:8]) == checksum:
                return int(number)
        return 0

    def _write_confirmed(self) -> None:
        number = self._confirmed.to_bytes(8, "big")
        with contextlib.suppress(OSError):  # then some records are sent twice
            os.pwrite(self._state, number + zlib.crc32(number).to_bytes(4, "big"), 0)


def _open_alone(path: str, folder: str) -> int:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise OutputError(
            f"{folder}: another process holds this spool",
            hint="give every service a spool of its own",
            code="spool.busy",
        ) from error
    return handle
