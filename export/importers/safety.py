"""Read a stranger's files: every size is bounded before anything of it is allocated."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge.errors import DataError, MissingInput
from edge.owned import Owned

__all__ = ["MAX_BYTES", "Archive", "parse_json", "read_bounded"]

#: Of one network: what a TFLite file, which counts in 32 bits with a sign, can hold with room.
MAX_BYTES = 1024 * 1024 * 1024

_MAX_JSON_BYTES = 64 * 1024 * 1024
#: Of a zip file's list of members; a member takes 46 bytes and its name.
_MAX_DIRECTORY_BYTES = 16 * 1024 * 1024
#: What the standard library raises for archives that are damaged or of another kind.
_ZIP_ERRORS = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, ValueError,
    OverflowError, OSError,
)  # fmt: skip
_END, _END_64 = b"PK\x05\x06", b"PK\x06\x06"


def read_bounded(path: Path, *, limit: int = MAX_BYTES) -> bytes:
    """Read a file whole.

    Raises:
        MissingInput: it cannot be opened.
        DataError: it is larger than the limit.
    """
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise MissingInput(f"{path}: {error.strerror}", code="source.missing") from error
    if len(content) > limit:
        raise DataError(f"{path}: is larger than {limit} bytes", code="source.size")
    return content


def parse_json(content: bytes, *, where: str) -> Mapping[str, Any]:
    """Parse a JSON object.

    Raises:
        DataError: it is none, is too large, or is nested too deeply.
    """
    if len(content) > _MAX_JSON_BYTES:
        raise DataError(f"{where}: is larger than {_MAX_JSON_BYTES} bytes", code="source.size")
    try:
        table = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: is no JSON: {error}", code="source.damaged") from error
    if not isinstance(table, dict):
        raise DataError(f"{where}: is no JSON object", code="source.damaged")
    return table


class Archive(Owned):
    """A zip file in memory whose members are read within bounds.

    Args:
        content: the file.
        where: its name, for messages.

    Raises:
        DataError: it is no zip file, is damaged, unpacks to more than ``MAX_BYTES``, or names a
            member twice.
    """

    def __init__(self, content: bytes, *, where: str) -> None:
        self._where = where
        if _directory_bytes(content) > _MAX_DIRECTORY_BYTES:
            raise self._damaged("has too many members")
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(content))
        except _ZIP_ERRORS as error:
            raise self._damaged(f"is no zip file: {error}") from error
        members = self._zip.infolist()
        self.names = tuple(member.filename for member in members)
        if len(set(self.names)) != len(self.names):
            raise self._damaged("names a member twice")
        if sum(member.file_size for member in members) > MAX_BYTES:
            raise self._damaged(f"unpacks to more than {MAX_BYTES} bytes")

    def read(self, name: str) -> bytes:
        """Return a member.

        Raises:
            DataError: it is not there, or is damaged.
        """
        if name not in self.names:
            raise self._damaged(f"{name} is missing")
        member = self._zip.getinfo(name)
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise self._damaged(f"{name} is packed in an unknown way")
        try:
            with self._zip.open(member) as stream:
                # The declared size may be a lie; beyond it nothing is unpacked.
                return stream.read(member.file_size)
        except _ZIP_ERRORS as error:
            raise self._damaged(f"{name} is damaged: {error}") from error

    def close(self) -> None:
        """Forget the file."""
        self._zip.close()

    def _damaged(self, what: str) -> DataError:
        return DataError(f"{self._where}: {what}", code="source.damaged")


def _directory_bytes(content: bytes) -> int:
    """Return how large a zip file says its list of members is, 0 where it says nothing.

    Layout of the end record: APPNOTE.TXT of PKWARE, 4.3.14 and 4.3.16.
    """
    at = content.rfind(_END)
    if at < 0 or at + 16 > len(content):
        return 0
    (size,) = struct.unpack_from("<I", content, at + 12)
    if size == 0xFFFFFFFF and (at_64 := content.rfind(_END_64)) >= 0:
        if at_64 + 48 > len(content):
            return 0
        (size,) = struct.unpack_from("<Q", content, at_64 + 40)
    return int(size)
