"""Write the reconstruction's test pictures as a folder that ``edge-bench accuracy`` reads.

    python -m models.training.pairs --data DIR --out DIR [--pack lfw]

writes ``clean/`` and ``masked/``: faces, bare and under a drawn mask of the test templates, the
same every time; ``cover/``: those masks by themselves; and ``labels.csv``: what the pack says of
the people, so that figures can stand apart by group.

The faces are those of ``faces`` test, which is cut so tight that a mask hides a third of the
picture; or of ``lfw``, heads with what lies round them: a picture each of a thousand people of whom
no painter of ours saw a frame in training.
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.faces import spread
from benchmarks.networks import Networks
from benchmarks.packs import Pack
from benchmarks.readers import Row
from edge.bundle import Bundle, default_bundle
from edge.cli.common import Parser, run_command
from edge.files import write_whole
from models.training.covered import drawn_pairs
from models.training.masks import Masks

__all__ = ["main"]

_PROGRAM = "python -m models.training.pairs"
#: Columns of the pack that go along.
_KNOWN = ("person", "group", "sex", "age", "race")
#: People of ``lfw``.
_PEOPLE = 1000

#: A row of the pack, its picture and its face's five points.
_Face = tuple[Row, NDArray[np.uint8], NDArray[np.float32]]


def main(argv: Sequence[str] | None = None) -> int:
    """Write the folder; return the exit code."""
    return run_command(_PROGRAM, _write, argv)


def _write(argv: Sequence[str]) -> int:
    parser = Parser(
        prog=_PROGRAM,
        description="Draw masks on test faces, for edge-bench accuracy reconstruct.",
        epilog=f"example: {_PROGRAM} --data data --out runs/pairs",
    )
    parser.add_argument("--data", type=Path, default=Path("data"), help="the data packs")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--pack", choices=("faces", "lfw"), default="faces", help="of the faces")
    options = parser.parse_args(argv)
    for kind in ("clean", "masked", "cover"):
        (options.out / kind).mkdir(parents=True, exist_ok=True)
    faces = list((_tight if options.pack == "faces" else _surrounded)(options.data))
    masks = Masks(options.data / "mask_templates", "test")
    triples = drawn_pairs(masks, ((image, points) for _, image, points in faces))
    for number, triple in enumerate(triples):
        for kind, picture in zip(("clean", "masked", "cover"), triple, strict=True):
            path = options.out / kind / _name(number)
            write_whole(path, cv2.imencode(".png", picture)[1].tobytes())
    write_whole(options.out / "labels.csv", _labels([row for row, _, _ in faces]))
    return 0


def _tight(data: Path) -> Iterator[_Face]:
    """Yield the test faces of ``faces``."""
    pack = Pack.open(data / "faces")
    for row in pack.rows("test"):
        yield row, pack.image(row["file"]), pack.points5(row["file"])


def _surrounded(data: Path) -> Iterator[_Face]:
    """Yield a face each of people of ``lfw``.

    Of films of the others the painter saw frames (``surroundings.framed_faces``). The pack has no
    points: the default bundle's detector finds them on the bare picture, and who it does not find
    is passed over.
    """
    trained = Pack.open(data / "landmarks68")
    seen = {row["subject"] for split in ("train", "val") for row in trained.rows(split)}
    pack = Pack.open(data / "lfw")
    first = {row["person"]: row for row in reversed(pack.rows("test"))}
    rows = [first[person] for person in sorted(first) if person not in seen]
    with Networks(Bundle.open(default_bundle())) as networks:
        finder = networks.finder()
        for row in spread(rows, _PEOPLE):
            face = finder.find(pack.image(row["file"]), row["file"])
            if not face.as_face:
                yield row, face.frame.image, face.detection.points_5x2


def _name(number: int) -> str:
    return f"{number:05}.png"


def _labels(rows: Sequence[Row]) -> bytes:
    """Return the table of the people, in the order of the pictures."""
    table = io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerow(["file", *_KNOWN])
    for number, row in enumerate(rows):
        writer.writerow([_name(number), *(row.get(column, "") for column in _KNOWN)])
    return table.getvalue().encode()


if __name__ == "__main__":
    sys.exit(main())
