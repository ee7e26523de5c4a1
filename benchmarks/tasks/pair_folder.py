"""Read pictures of which the bare one and the masked one are known."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.faces import spread
from benchmarks.readers import Row, read_table
from edge.errors import DataError, MissingInput
from edge.sources.header import SUFFIXES
from edge.sources.image import read_picture

__all__ = ["PairFolder", "Triple"]

#: Bare picture and masked picture uint8 ``[H, W, 3]``; the mask uint8 ``[H, W]``, not 0 where it
#: covers, or None where that is not known.
Triple = tuple[NDArray[np.uint8], NDArray[np.uint8], "NDArray[np.uint8] | None"]


class PairFolder:
    """Pictures of the same names in ``DIR/clean`` and ``DIR/masked``.

    ``DIR/cover`` may hold the masks by themselves, white on black, and ``DIR/labels.csv`` who is
    in each picture: ``file`` and ``person``, ``sex``, ``age``, ``race`` or some of these.

    Args:
        folder: ``DIR``.
        limit: at most so many pictures, evenly spread.

    Attributes:
        names: of the pictures.
        rows: of ``labels.csv``, one a name; without it only ``file``.

    Raises:
        MissingInput: there are no such folders.
        DataError: a picture has no partner, or ``labels.csv`` does not name it.
    """

    def __init__(self, folder: str | Path, *, limit: int | None = None) -> None:
        self._folder = Path(folder)
        sides = {side: self._pictures(side) for side in ("clean", "masked", "cover")}
        if not sides["clean"] or not sides["masked"]:
            raise MissingInput(
                f"{folder}: no folders clean and masked with pictures in them",
                hint="put pictures of the same names into DIR/clean and DIR/masked",
                code="pack.missing",
            )
        alone = sides["clean"] ^ sides["masked"]
        if sides["cover"]:
            alone |= sides["clean"] ^ sides["cover"]
        if alone:
            raise DataError(f"{folder}: picture {min(alone)!r} has no partner", code="pack.picture")
        self._has_cover = bool(sides["cover"])
        self.names = spread(sorted(sides["clean"]), limit)
        self.rows = self._rows()

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[Triple]:
        """Read the pictures, each when it is its turn.

        Raises:
            MissingInput, DataError: one cannot be read.
        """
        for name in self.names:
            cover = None
            if self._has_cover:
                grey = cv2.cvtColor(self._read("cover", name), cv2.COLOR_BGR2GRAY)
                cover = (grey > 127).astype(np.uint8)
            yield self._read("clean", name), self._read("masked", name), cover

    def _read(self, side: str, name: str) -> NDArray[np.uint8]:
        return read_picture(str(self._folder / side / name))

    def _pictures(self, side: str) -> set[str]:
        files = (self._folder / side).glob("*")
        return {p.name for p in files if p.suffix.lower() in SUFFIXES and p.is_file()}

    def _rows(self) -> list[Row]:
        labels = self._folder / "labels.csv"
        if not labels.is_file():
            return [{"file": name} for name in self.names]
        known = {row["file"]: row for row in read_table(labels, "file")}
        missing = sorted(set(self.names) - set(known))
        if missing:
            raise DataError(f"{labels}: no row for picture {missing[0]!r}", code="pack.labels")
        return [known[name] for name in self.names]
