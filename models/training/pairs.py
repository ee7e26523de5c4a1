"""Write the reconstruction's test pictures as a folder that ``edge-bench accuracy`` reads.

    python -m models.training.pairs --data DIR --out DIR

writes ``clean/`` and ``masked/``: the faces of ``faces`` test, bare and under a drawn mask of the
test templates, the same every time; ``cover/``: those masks by themselves; and ``labels.csv``: what
the pack says of the people, so that figures can stand apart by group.
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2

from benchmarks.packs import Pack
from edge.cli.common import Parser, run_command
from edge.files import write_whole
from models.training.covered import pairs

__all__ = ["main"]

_PROGRAM = "python -m models.training.pairs"
#: Columns of the pack that go along.
_KNOWN = ("person", "group", "sex", "age", "race")


def main(argv: Sequence[str] | None = None) -> int:
    """Write the folder; return the exit code."""
    return run_command(_PROGRAM, _write, argv)


def _write(argv: Sequence[str]) -> int:
    parser = Parser(prog=_PROGRAM)
    parser.add_argument("--data", type=Path, default=Path("data"), help="the data packs")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(argv)
    for kind in ("clean", "masked", "cover"):
        (options.out / kind).mkdir(parents=True, exist_ok=True)
    triples = pairs(options.data, "test", "test", limit=None)
    for number, triple in enumerate(triples):
        for kind, picture in zip(("clean", "masked", "cover"), triple, strict=True):
            path = options.out / kind / _name(number)
            write_whole(path, cv2.imencode(".png", picture)[1].tobytes())
    write_whole(options.out / "labels.csv", _labels(options.data))
    return 0


def _name(number: int) -> str:
    return f"{number:05}.png"


def _labels(data: Path) -> bytes:
    """Return the table of the people, in the order of the pictures."""
    table = io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerow(["file", *_KNOWN])
    for number, row in enumerate(Pack.open(data / "faces").rows("test")):
        writer.writerow([_name(number), *(row.get(column, "") for column in _KNOWN)])
    return table.getvalue().encode()


if __name__ == "__main__":
    sys.exit(main())
