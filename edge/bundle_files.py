"""The files of a bundle: a folder with them, or one file with the same in it.

The one file is a zip archive of stored entries and nothing else: no compression, no folders, no
comment, no second entry of a name. So its size bounds what comes out of it, and a person can still
look into it with ``unzip -l``.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from edge.errors import BundleError, MissingInput

__all__ = ["HINT", "BundleFiles", "is_plain", "measure", "open_files", "pack_files", "read"]

HINT = "copy the bundle again, or make it with: edge-export make --out BUNDLE"

_CHUNK = 1024 * 1024
_MAX_PACKED_BYTES = 1024 * 1024 * 1024
#: Bounds the number of entries before the first of them is read: each takes 47 bytes or more.
_MAX_DIRECTORY_BYTES = 64 * 1024
#: End of the central directory (APPNOTE.TXT 4.3.16): signature, two disks, entries twice, size
#: and place of the directory, length of the comment.
_END = struct.Struct("<4s4H2LH")
#: Signature and length of what a Zip64 archive has before that (4.3.15); ours are never so large.
_ZIP64, _ZIP64_BYTES = b"PK\x06\x07", 20
#: The one flag that an entry may have: its name is UTF-8.
_UTF8 = 0x800
_STRANGE = "is neither a bundle's folder nor a bundle file"
#: Earliest date of the format; a constant, so that equal bundles pack into equal bytes.
_DATE = (1980, 1, 1, 0, 0, 0)


class BundleFiles(Protocol):
    """Where a bundle's files lie; nothing stays open between two calls."""

    def names(self) -> list[str]:
        """Return the names of all files, sorted.

        Raises:
            BundleError: the folder cannot be read.
        """
        ...

    def where(self, name: str) -> str:
        """Return the file with its place, for messages."""
        ...

    def open(self, name: str) -> contextlib.AbstractContextManager[BinaryIO]:
        """Open one file for reading.

        Raises:
            BundleError: it is missing, is no plain file, or cannot be read.
        """
        ...


def open_files(path: Path) -> BundleFiles:
    """Look at a bundle's files.

    Args:
        path: a folder, or a file that ``pack_files`` made.

    Raises:
        MissingInput: there is neither.
        BundleError: the file is no such archive.
    """
    if path.is_dir():
        return _Folder(path)
    if path.is_file():
        return _Packed(path)
    raise MissingInput(f"bundle {path}: no such folder or file", hint=HINT, code="bundle.folder")


def is_plain(name: str) -> bool:
    """Tell whether a name can only mean a file right inside the bundle."""
    return bool(name) and name not in (".", "..") and not set(name) & set("/\\\0")


def read(files: BundleFiles, name: str, limit: int) -> bytes:
    """Read a file of at most ``limit`` bytes.

    Raises:
        BundleError: it is larger, missing, or cannot be read.
    """
    with files.open(name) as stream:
        content = stream.read(limit + 1)
    if len(content) > limit:
        raise _refuse(files.where(name), f"is no plain file of at most {limit} bytes")
    return content


def measure(files: BundleFiles, name: str, limit: int) -> tuple[int, str]:
    """Return a file's size in bytes and its sha256, holding only a piece of it in memory.

    Reading stops after ``limit`` bytes and one more; the size then says so.

    Raises:
        BundleError: it is missing or cannot be read.
    """
    size, digest = 0, hashlib.sha256()
    with files.open(name) as stream:
        while size <= limit and (piece := stream.read(min(_CHUNK, limit + 1 - size))):
            size += len(piece)
            digest.update(piece)
    return size, digest.hexdigest()


def pack_files(files: dict[str, bytes]) -> bytes:
    """Return the one file that holds these; equal files give equal bytes.

    Args:
        files: content by name; the names are plain.
    """
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED, allowZip64=False) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _DATE)
            entry.create_system = 3  # Unix, wherever it is packed
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, files[name])
    return packed.getvalue()


class _Folder:
    """A folder of plain files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> list[str]:
        try:
            return sorted(os.listdir(self._folder))
        except OSError as error:
            raise _refuse(str(self._folder), f"cannot be read: {error.strerror}") from error

    def where(self, name: str) -> str:
        return str(self._folder / name)

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """Open one file; a pipe or a link is none."""
        where = self.where(name)
        try:
            handle = os.open(where, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                if not stat.S_ISREG(os.fstat(handle).st_mode):
                    raise _refuse(where, "is no plain file")
                with open(handle, "rb", closefd=False) as stream:
                    yield stream
            finally:
                os.close(handle)
        except FileNotFoundError as error:
            raise _missing(where) from error
        except OSError as error:
            raise _refuse(where, f"cannot be read: {error.strerror or error}") from error


class _Packed:
    """One archive."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._archive() as archive:
            self._names = _entries(archive, str(path))

    def names(self) -> list[str]:
        return self._names

    def where(self, name: str) -> str:
        return f"{self._path}: {name}"

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """Open one entry."""
        if name not in self._names:
            raise _missing(self.where(name))
        with self._archive() as archive, archive.open(name) as stream:
            yield stream  # type: ignore[misc]  # as a stream it has read(), which is all we use

    @contextlib.contextmanager
    def _archive(self) -> Iterator[zipfile.ZipFile]:
        try:
            with open(self._path, "rb") as stream:
                _check_end(stream, str(self._path))
                with zipfile.ZipFile(stream) as archive:
                    yield archive
        except OSError as error:
            raise _refuse(str(self._path), f"cannot be read: {error.strerror or error}") from error
        except (
            zipfile.BadZipFile, struct.error, zlib.error, EOFError, ValueError, KeyError,
            IndexError, OverflowError, NotImplementedError, RuntimeError,
        ) as error:  # fmt: skip
            raise _refuse(str(self._path), f"is a damaged bundle file: {error}") from error


def _check_end(stream: BinaryIO, where: str) -> None:
    """Bound what the archive's directory may hold, before anybody reads it."""
    size = os.fstat(stream.fileno()).st_size
    if size > _MAX_PACKED_BYTES:
        raise _refuse(where, f"is larger than {_MAX_PACKED_BYTES} bytes")
    stream.seek(max(0, size - _END.size - _ZIP64_BYTES))
    tail = stream.read()
    if len(tail) < _END.size:
        raise _refuse(where, _STRANGE)
    magic, *_, entries, directory_bytes, start, comment = _END.unpack(tail[-_END.size :])
    is_whole = start + directory_bytes + _END.size == size
    if magic != b"PK\x05\x06" or comment or tail.startswith(_ZIP64) or not is_whole:
        raise _refuse(where, _STRANGE)
    if directory_bytes > _MAX_DIRECTORY_BYTES:
        raise _refuse(where, f"names {entries} files, more than a bundle has")
    stream.seek(0)


def _entries(archive: zipfile.ZipFile, where: str) -> list[str]:
    names = sorted(archive.namelist())
    for entry in archive.infolist():
        if not is_plain(entry.filename) or names.count(entry.filename) > 1:
            raise _refuse(where, f"{entry.filename!r} is no plain name, or is there twice")
        stored = entry.compress_type == zipfile.ZIP_STORED and not entry.flag_bits & ~_UTF8
        if not stored or entry.file_size != entry.compress_size:
            raise _refuse(where, f"{entry.filename!r} is not stored as it is")
    return names


def _missing(where: str) -> BundleError:
    return BundleError(f"{where}: is missing", hint=HINT, code="bundle.missing")


def _refuse(where: str, problem: str) -> BundleError:
    return BundleError(f"{where}: {problem}", hint=HINT, code="bundle.read")
