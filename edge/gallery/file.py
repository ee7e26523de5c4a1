"""The gallery's file: SQLite, mode 0600, with marks that tell it from any other file."""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from edge.errors import DataError, OutputError, TransientError

__all__ = ["check_file", "connect", "damaged", "make_file", "translated"]

#: Marks of the file's header: "UEGA" and the schema's number.
_APPLICATION_ID = 0x55454741
_USER_VERSION = 1
_SCHEMA = (
    "CREATE TABLE about (revision TEXT NOT NULL)",
    "CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, since TEXT NOT NULL)",
    "CREATE TABLE template (id INTEGER PRIMARY KEY, person INTEGER NOT NULL "
    "REFERENCES person (id) ON DELETE CASCADE, masked INTEGER NOT NULL, embedding BLOB NOT NULL)",
)


def make_file(path: Path, revision: str) -> None:
    """Make an empty gallery, mode 0600 from the first byte on, whole or not at all.

    It is made beside its place and linked there, so that a process that dies meanwhile leaves no
    half gallery, and of two that make one at the same moment the second takes the first's.

    Raises:
        OutputError: it cannot be made.
    """
    part = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except OSError as error:
        raise _not_made(path, error) from error
    try:
        with translated(path, writing=True), closing(connect(part)) as connection:
            connection.execute("BEGIN")
            for statement in _SCHEMA:
                connection.execute(statement)
            connection.execute("INSERT INTO about VALUES (?)", (revision,))
            connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {_USER_VERSION}")
            connection.execute("COMMIT")
        _put_in_place(part, path)
    finally:
        part.unlink(missing_ok=True)


def _put_in_place(part: Path, path: Path) -> None:
    """Give the new file its name, unless another process was quicker."""
    try:
        try:
            os.link(part, path)
        except FileExistsError:
            return
        except OSError:  # FAT and some network file systems know no links
            os.rename(part, path)
        handle = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise _not_made(path, error) from error


def _not_made(path: Path, error: OSError) -> OutputError:
    return OutputError(
        f"gallery {path}: cannot be made: {error.strerror or error}",
        hint="name a folder that is there and can be written to",
        code="gallery.write",
    )


def connect(path: Path) -> sqlite3.Connection:
    """Open the file; deleted bytes are overwritten, the schema's own code gets no rights.

    ``synchronous = EXTRA`` syncs the folder, too, when a transaction's journal goes: with SQLite's
    usual FULL a power cut just after a commit may bring the journal back, and with it the state
    before (sqlite.org/pragma.html#pragma_synchronous).

    Raises:
        DataError: it is no SQLite file.
    """
    with translated(path):
        connection = sqlite3.connect(path, timeout=5.0)
        try:
            # VACUUM writes a copy somewhere: in memory, not to /tmp.
            for pragma in ("trusted_schema = OFF", "temp_store = MEMORY",
                           "foreign_keys = ON", "secure_delete = ON",
                           "synchronous = EXTRA"):  # fmt: skip
                connection.execute(f"PRAGMA {pragma}")
        except BaseException:
            connection.close()
            raise
        return connection


def check_file(path: Path, connection: sqlite3.Connection, revision: str) -> None:
    """Refuse a foreign file and embeddings of another revision.

    Raises:
        DataError: it is one of these.
    """
    marks = [connection.execute(f"PRAGMA {mark}").fetchone()[0]
             for mark in ("application_id", "user_version")]  # fmt: skip
    tables = connection.execute(
        "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid"
    )
    if marks != [_APPLICATION_ID, _USER_VERSION] or tuple(row[0] for row in tables) != _SCHEMA:
        raise damaged(path, "is no gallery of this version")
    rows = connection.execute("SELECT revision FROM about LIMIT 2").fetchall()
    if len(rows) != 1:
        raise damaged(path, "does not say its revision")
    if rows[0][0] != revision:
        raise DataError(
            f"gallery {path}: holds embeddings of the revision {str(rows[0][0])[:80]!r}, the "
            f"bundle makes {revision!r}",
            hint="enrol everybody again with this bundle, into a new gallery",
            code="gallery.revision",
        )


def damaged(path: Path, problem: str) -> DataError:
    """Return the error of a file that is no gallery, or none any more."""
    return DataError(
        f"gallery {path}: {problem}",
        hint="name another file, or restore this one from a copy",
        code="gallery.damaged",
    )


@contextmanager
def translated(path: Path, *, writing: bool = False) -> Iterator[None]:
    """Turn SQLite's errors into ours, each with the file's name."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise TransientError(
                f"gallery {path}: another program is writing to it",
                hint="try again in a moment",
                code="gallery.busy",
            ) from error
        if writing:
            raise OutputError(
                f"gallery {path}: cannot be written: {error}",
                hint="free some space or name a file that can be written to",
                code="gallery.write",
            ) from error
        raise damaged(path, f"cannot be read: {error}") from error
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise damaged(path, f"cannot be read: {error}") from error
