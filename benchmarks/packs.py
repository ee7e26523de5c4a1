"""Read a data pack: pictures, their labels, their points, their pairs.

A pack is a folder with

    images.npz    blob uint8 (image files end to end), off int64 [n + 1], names str [n]
    labels.csv    file, …: one row a picture, or one row a box: file, x, y, w, h
    points5.npz   points float32 [n, 5, 2], names str [n], …      (may be absent)
    pairs.csv     a, b, same, fold                                (may be absent)

or one of picture files, in place of ``images.npz``:

    labels.csv beside them, whose ``file`` is each picture's path in the folder;
    without it class folders, DIR/<label>/*.jpg, whose rows are ``file`` and ``label``;
    or pictures alone, DIR/*.jpg, whose rows are ``file``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.readers import MAX_FILE_BYTES, Row, read_arrays, read_file, read_table
from edge.errors import DataError, MissingInput
from edge.sources.header import SUFFIXES, read_header
from edge.sources.image import MAX_PIXELS, read_picture

__all__ = ["Pack"]

#: A picture as stored: the bytes of its file, or where the file lies.
Picture = NDArray[np.uint8] | Path


class Pack:
    """Pictures of one data pack and what is known about them; read only.

    Attributes:
        folder: where it lies.
        name: last part of the folder's whole path.
        names: of its pictures, in the pack's order.
        has_classes: whether ``label`` is the name of each picture's folder.
    """

    def __init__(
        self,
        folder: Path,
        pictures: Mapping[str, Picture],
        rows: list[Row],
        *,
        has_classes: bool = False,
    ) -> None:
        self.folder = folder
        self.has_classes = has_classes
        self.name = folder.resolve().name
        self.names = tuple(pictures)
        self._pictures = pictures
        self._rows = rows
        self._arrays: dict[str, Mapping[str, NDArray[Any]]] = {}
        self._points5: dict[str, NDArray[np.float32]] | None = None

    @classmethod
    def open(cls, folder: str | Path) -> Pack:
        """Open a pack, or a folder of pictures.

        Raises:
            MissingInput: there is no such folder, or nothing in it that can be read.
            DataError: a file of the pack is damaged, or names a picture that is not there.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise MissingInput(
                f"{folder}: there is no such folder",
                hint="name the folder of a data pack",
                code="pack.missing",
            )
        labels = folder / "labels.csv"
        if (folder / "images.npz").is_file():
            pictures = _stored_pictures(folder / "images.npz")
            rows = read_table(labels, "file")
            for number, row in enumerate(rows, start=2):
                if row["file"] not in pictures:
                    raise DataError(
                        f"{labels}: row {number}: picture {row['file']!r} is not in images.npz",
                        code="pack.labels",
                    )
            return cls(folder, pictures, rows)
        if labels.is_file():
            rows = read_table(labels, "file")
            return cls(folder, _named_files(labels, rows), rows)
        if classes := _picture_files(folder, "*/*"):
            rows = [{"file": name, "label": name.split("/")[0]} for name in classes]
            return cls(folder, classes, rows, has_classes=True)
        files = _picture_files(folder, "*")
        if not files:
            raise MissingInput(
                f"{folder}: neither images.npz nor class folders with pictures in it",
                hint="name the folder of a data pack, or one with a folder of pictures a class",
                code="pack.missing",
            )
        return cls(folder, files, [{"file": name} for name in files])

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of its splits, sorted; empty where the pack is one whole."""
        return tuple(sorted({row["split"] for row in self._rows if "split" in row}))

    def rows(self, split: str | None = None) -> list[Row]:
        """Return the rows of ``labels.csv``, those of one split if one is named.

        Raises:
            DataError: the pack has no such split.
        """
        if split is None:
            return [dict(row) for row in self._rows]
        if split not in self.splits:
            raise DataError(
                f"{self.folder}: no split {split!r}; it has {', '.join(self.splits) or 'none'}",
                code="pack.split",
            )
        return [dict(row) for row in self._rows if row["split"] == split]

    def image(self, name: str) -> NDArray[np.uint8]:
        """Decode one picture.

        Returns:
            uint8 ``[H, W, 3]``, BGR, new memory; grey pictures have three equal channels.

        Raises:
            MissingInput: it is a file, and cannot be opened.
            DataError: the pack has no such picture, or it cannot be decoded.
        """
        stored = self._pictures.get(name)
        if stored is None:
            raise DataError(f"{self.folder}: no picture {name!r}", code="pack.picture")
        if isinstance(stored, Path):
            return read_picture(str(stored))
        header = read_header(stored.tobytes())
        image = None
        if header is not None and 0 < header.width * header.height <= MAX_PIXELS:
            try:
                image = cv2.imdecode(stored, cv2.IMREAD_COLOR)
            except cv2.error:
                image = None
        if image is None:
            raise DataError(
                f"{self.folder}: picture {name!r} cannot be decoded", code="pack.picture"
            )
        return image.astype(np.uint8, copy=False)

    def points5(self, name: str) -> NDArray[np.float32]:
        """Return the five points of a picture with one face.

        Returns:
            float32 ``[5, 2]``, ``(x, y)`` in pixels of the stored picture: eye, eye, nose tip,
            mouth corner, mouth corner; left before right as the viewer sees them.

        Raises:
            DataError: there are none, or several: read ``arrays("points5")`` then.
        """
        if self._points5 is None:
            arrays = self.arrays("points5")
            names, points = [str(n) for n in arrays["names"]], arrays["points"]
            if points.shape != (len(names), 5, 2):
                raise DataError(
                    f"{self.folder / 'points5.npz'}: {len(names)} names and points of shape "
                    f"{list(points.shape)}",
                    code="pack.points",
                )
            repeated = {n for n, count in _counts(names).items() if count > 1}
            self._points5 = {
                n: p.astype(np.float32)
                for n, p in zip(names, points, strict=True)
                if n not in repeated
            }
        points5 = self._points5.get(name)
        if points5 is None:
            raise DataError(
                f"{self.folder}: picture {name!r} has no points, or those of several faces",
                code="pack.points",
            )
        return points5

    def arrays(self, stem: str) -> Mapping[str, NDArray[Any]]:
        """Return the arrays of ``<stem>.npz`` by name, read once and read only.

        Raises:
            MissingInput: the pack has no such file.
            DataError: the file is damaged.
        """
        if stem not in self._arrays:
            self._arrays[stem] = MappingProxyType(read_arrays(self.folder / f"{stem}.npz"))
        return self._arrays[stem]

    def table(self, stem: str) -> list[Row]:
        """Return the rows of ``<stem>.csv``, such as ``pairs`` or ``noses``.

        Raises:
            MissingInput: the pack has no such file.
            DataError: the file is damaged.
        """
        return read_table(self.folder / f"{stem}.csv")

    def digest(self) -> str:
        """Return the SHA-256, in hex, over names and contents of the pack's files."""
        files = {p for p in self._pictures.values() if isinstance(p, Path)}
        files |= {*self.folder.glob("*.npz"), *self.folder.glob("*.csv")}
        total = hashlib.sha256()
        for path in sorted(files):
            name = path.relative_to(self.folder).as_posix()
            content = hashlib.sha256(read_file(path, MAX_FILE_BYTES)).hexdigest()
            total.update(f"{name} {content}\n".encode())
        return total.hexdigest()


def _counts(names: list[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return counts


def _picture_files(folder: Path, pattern: str) -> dict[str, Picture]:
    """Find the files below a folder whose names end like a picture's; others are left alone."""
    return {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.glob(pattern))
        if path.suffix.lower() in SUFFIXES and path.is_file()
    }


def _named_files(labels: Path, rows: list[Row]) -> dict[str, Picture]:
    """Find the files that a table names; none may lie outside its folder."""
    pictures: dict[str, Picture] = {}
    for number, row in enumerate(rows, start=2):
        name = row["file"]
        path = PurePosixPath(name)
        inside = (
            bool(name) and "\0" not in name and not path.is_absolute() and ".." not in path.parts
        )
        if not inside or not (labels.parent / path).is_file():
            raise DataError(
                f"{labels}: row {number}: there is no picture {name!r} in this folder",
                code="pack.labels",
            )
        pictures[name] = labels.parent / path
    return pictures


def _stored_pictures(path: Path) -> dict[str, Picture]:
    """Cut the blob into one view a picture, after the offsets are checked."""
    arrays = read_arrays(path)
    missing = {"blob", "off", "names"} - set(arrays)
    if missing:
        raise DataError(f"{path}: no array {sorted(missing)[0]!r}", code="pack.images")
    blob, off, names = arrays["blob"], arrays["off"], arrays["names"]
    if (
        blob.dtype != np.uint8
        or blob.ndim != 1
        or off.dtype.kind not in "iu"
        or off.shape != (len(names) + 1,)
        or names.dtype.kind != "U"
        or off[0] != 0
        or off[-1] != len(blob)
        or (off[1:] < off[:-1]).any()
    ):
        raise DataError(f"{path}: offsets do not fit the blob and the names", code="pack.images")
    pictures: dict[str, Picture] = {str(n): blob[off[i] : off[i + 1]] for i, n in enumerate(names)}
    if len(pictures) != len(names):
        raise DataError(f"{path}: two pictures have one name", code="pack.images")
    return pictures
