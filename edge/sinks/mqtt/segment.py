"""One file of the spool: records one after the other, each with its length and a checksum."""

from __future__ import annotations

import contextlib
import os
import struct
import zlib

from edge.sinks.lines import write_all

__all__ = ["MAX_RECORD_BYTES", "Segment"]

#: 32 faces with 68 landmarks each are 60 KB.
MAX_RECORD_BYTES = 128 << 10

#: Length of the content, and zlib.crc32 of the length's four bytes and the content.
_HEAD = struct.Struct(">II")


class Segment:
    """Records with running numbers, appended and read by position.

    What follows the last whole record, such as half a one after a crash, is cut when it is opened.

    Args:
        path: of the file; it is made with mode 0600 if it is missing.
        first: number of its first record.

    Attributes:
        count: how many records.
        size: bytes of them.
        cut: bytes that were cut.

    Raises:
        OSError: as the system says it.
    """

    def __init__(self, path: str, first: int) -> None:
        self.path, self.first = path, first
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        self._handle = os.open(path, flags, 0o600)
        try:
            self.count, self.size = self._walk()
            self.cut = os.fstat(self._handle).st_size - self.size
            if self.cut:
                os.ftruncate(self._handle, self.size)
        except BaseException:
            self.close()
            raise
        #: Number and position of the record that is probably read next.
        self._place = (first, 0)

    @property
    def end(self) -> int:
        """Number of the record that would come next."""
        return self.first + self.count

    def append(self, content: bytes) -> None:
        """Add a record; when that fails, nothing of it stays."""
        length = len(content).to_bytes(4, "big")
        head = length + zlib.crc32(length + content).to_bytes(4, "big")
        try:
            write_all(self._handle, head + content)
        except BaseException:
            with contextlib.suppress(OSError):
                os.ftruncate(self._handle, self.size)
            raise
        self.size += _HEAD.size + len(content)
        self.count += 1

    def read(self, number: int) -> bytes | None:
        """Return a record; None when the file no longer holds what was written."""
        at, position = self._place
        if number < at:
            at, position = self.first, 0
        while True:
            content = self._record(position)
            if content is None:
                return None
            at, position = at + 1, position + _HEAD.size + len(content)
            if at > number:
                self._place = (at, position)
                return content

    def close(self) -> None:
        """Give the file back; a second call does nothing."""
        if self._handle >= 0:
            handle, self._handle = self._handle, -1
            os.close(handle)

    def remove(self) -> None:
        """Close and remove it."""
        self.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)

    def _walk(self) -> tuple[int, int]:
        """Count the whole records and their bytes."""
        count = position = 0
        while (content := self._record(position)) is not None:
            count, position = count + 1, position + _HEAD.size + len(content)
        return count, position

    def _record(self, position: int) -> bytes | None:
        head = os.pread(self._handle, _HEAD.size, position)
        if len(head) < _HEAD.size:
            return None
        length, checksum = _HEAD.unpack(head)
        if not 0 < length <= MAX_RECORD_BYTES:
            return None
        content = os.pread(self._handle, length, position + _HEAD.size)
        return content if zlib.crc32(head[:4] + content) == checksum else None
