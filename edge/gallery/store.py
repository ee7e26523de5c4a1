"""People and their templates in one SQLite file that only its owner may read."""

from __future__ import annotations

import os
import sqlite3
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.errors import DataError, MissingInput, UsageError
from edge.gallery.file import check_file, connect, damaged, make_file, translated
from edge.gallery.match import Match, Templates
from edge.owned import Owned

__all__ = ["Gallery", "Person"]

_MAX_NAME = 200
_MAX_TEMPLATES = 100_000
_MAX_LENGTH = 2048


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who was enrolled.

    Attributes:
        name: unique.
        templates: how many embeddings are kept.
        since: ISO time of the first, UTC.
    """

    name: str
    templates: int
    since: str


class Gallery(Owned):
    """An open gallery; close it, or use it in a ``with``.

    Attributes:
        path: of the file.
        revision: of the embeddings that it holds.
    """

    def __init__(self, path: Path, revision: str, connection: sqlite3.Connection) -> None:
        self.path = path
        self.revision = revision
        self._connection = connection
        self._templates = _load(path, connection)

    @classmethod
    def open(cls, path: str | os.PathLike[str], revision: str, *, create: bool = False) -> Gallery:
        """Open a gallery, or make an empty one.

        Args:
            path: of the file.
            revision: of the embeddings that will be enrolled and matched.
            create: make the file, readable by its owner only, if there is none.

        Raises:
            MissingInput: there is no such file, and ``create`` is off.
            DataError: the file is no gallery, is damaged, or holds another revision
                (``gallery.revision``).
            OutputError: the file cannot be made.
        """
        file = Path(path)
        if not file.exists():
            if not create:
                raise MissingInput(
                    f"gallery {file}: no such file",
                    hint=f"enrol somebody first: edge-gallery enrol NAME IMAGE --gallery {file}",
                    code="gallery.missing",
                )
            make_file(file, revision)
        connection = connect(file)
        try:
            with translated(file):
                check_file(file, connection, revision)
                return cls(file, revision, connection)
        except BaseException:
            connection.close()
            raise

    def enrol(self, name: str, embedding: NDArray[np.float32], *, masked: bool) -> None:
        """Add one template to a person; see ``enrol_all``."""
        self.enrol_all(name, [(embedding, masked)])

    def enrol_all(self, name: str, views: Sequence[tuple[NDArray[np.float32], bool]]) -> None:
        """Add templates to a person, who is made if there is none of this name: all or none.

        Args:
            name: 1 to 200 printable characters.
            views: of each the embedding, float32 ``[D]`` of length 1, of this gallery's revision,
                and whether the face wore a mask.

        Raises:
            UsageError: the name cannot be one.
            DataError: an embedding is not finite, has no length of 1, or is not of the same
                length as those before it.
            OutputError: the file cannot be written.
        """
        name = _checked_name(name)
        rows = [(int(masked), self._checked_row(name, embedding)) for embedding, masked in views]
        if len({len(row) for _, row in rows}) > 1:
            raise DataError(f"{name}: embeddings of one gallery have one length",
                            code="gallery.embedding")  # fmt: skip
        if len(self._templates) + len(rows) > _MAX_TEMPLATES:
            raise DataError(
                f"gallery {self.path}: is full with {_MAX_TEMPLATES} templates",
                hint="forget somebody, or name another gallery",
                code="gallery.full",
            )
        since = datetime.now(timezone.utc).isoformat(timespec="seconds")
        with translated(self.path, writing=True), self._connection as transaction:
            transaction.execute("INSERT OR IGNORE INTO person (name, since) VALUES (?, ?)",
                                (name, since))  # fmt: skip
            transaction.executemany(
                "INSERT INTO template (person, masked, embedding) "
                "SELECT id, ?, ? FROM person WHERE name = ?",
                [(*row, name) for row in rows],
            )
        self._reload()

    def _checked_row(self, name: str, embedding: NDArray[np.float32]) -> bytes:
        """Return an embedding as it is stored."""
        row = np.ascontiguousarray(embedding, np.float32)
        if row.ndim != 1 or not abs(float(np.linalg.norm(row)) - 1) < 1e-3:
            raise DataError(f"{name}: an embedding has one axis and length 1",
                            code="gallery.embedding")  # fmt: skip
        self._templates.nearest(row, 1.0)  # refuses another number of values
        return row.astype("<f4").tobytes()

    def people(self) -> list[Person]:
        """Return everybody, by name."""
        with translated(self.path):
            rows = self._connection.execute(
                "SELECT name, count(template.id), since FROM person "
                "LEFT JOIN template ON template.person = person.id GROUP BY person.id ORDER BY name"
            )
            return [Person(*row) for row in rows]

    def forget(self, name: str) -> int:
        """Delete a person; afterwards none of their bytes is in the file.

        Returns:
            How many templates went; 0 when nobody has this name.

        Raises:
            OutputError: the file cannot be written.
        """
        name = unicodedata.normalize("NFC", name)
        templates = {person.name: person.templates for person in self.people()}.get(name, 0)
        with translated(self.path, writing=True):
            with self._connection as transaction:
                transaction.execute("DELETE FROM person WHERE name = ?", (name,))
            self._connection.execute("VACUUM")
        self._reload()
        return templates

    def match(self, embedding: NDArray[np.float32], threshold: float) -> Match:
        """Return the person whose template is nearest, if its cosine reaches the threshold.

        Args:
            embedding: float32 ``[D]`` of length 1.
            threshold: the contract of the embedding's network says it.
        """
        return self._templates.nearest(embedding, threshold)

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._connection.close()

    def _reload(self) -> None:
        with translated(self.path):
            self._templates = _load(self.path, self._connection)


def _load(path: Path, connection: sqlite3.Connection) -> Templates:
    """Read all templates; sizes are checked before any is read."""
    count, shortest, longest = connection.execute(
        "SELECT count(*), min(length(embedding)), max(length(embedding)) FROM template"
    ).fetchone()
    if count == 0:
        return Templates((), np.zeros((0, 0), np.float32))
    if count > _MAX_TEMPLATES or not 4 <= shortest == longest <= 4 * _MAX_LENGTH or longest % 4:
        raise damaged(path, f"{count} templates of {shortest} to {longest} bytes cannot be")
    rows = connection.execute(
        "SELECT name, embedding FROM template JOIN person ON person.id = person "
        "ORDER BY template.id"
    ).fetchall()
    if len(rows) != count or not all(_is_name(n) and isinstance(e, bytes) for n, e in rows):
        raise damaged(path, "a template is no embedding of a person")
    matrix = np.frombuffer(b"".join(row[1] for row in rows), "<f4").reshape(count, -1)
    if not (np.abs(np.linalg.norm(matrix, axis=1) - 1) < 1e-3).all():
        raise damaged(path, "a template has not the length 1")
    return Templates(tuple(row[0] for row in rows), matrix.astype(np.float32))


def _checked_name(name: str) -> str:
    """Return the name in the one spelling that is stored."""
    name = unicodedata.normalize("NFC", name)
    if not _is_name(name):
        raise UsageError(
            f"{name[:40]!r} cannot be a person's name",
            hint=f"give 1 to {_MAX_NAME} printable characters without spaces at the ends",
            code="gallery.name",
        )
    return name


def _is_name(name: object) -> bool:
    return (
        isinstance(name, str)
        and 1 <= len(name) <= _MAX_NAME
        and name.isprintable()
        and name == name.strip()
    )
