"""Write the reconstruction's test pictures as a folder that ``edge-bench accuracy`` reads.

    python -m models.training.pairs --data DIR --out DIR

writes ``clean/`` and ``masked/``: the faces of ``faces`` test, bare and under a drawn mask of the
test templates, the same every time.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import cv2

from edge.cli.common import Parser, run_command
from edge.files import write_whole
from models.training.covered import pairs

__all__ = ["main"]

_PROGRAM = "python -m models.training.pairs"


def main(argv: Sequence[str] | None = None) -> int:
    """Write the folder; return the exit code."""
    return run_command(_PROGRAM, _write, argv)


def _write(argv: Sequence[str]) -> int:
    parser = Parser(prog=_PROGRAM)
    parser.add_argument("--data", type=Path, default=Path("data"), help="the data packs")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(argv)
    for kind in ("clean", "masked"):
        (options.out / kind).mkdir(parents=True, exist_ok=True)
    triples = pairs(options.data, "test", "test", limit=None)
    for number, (clean, masked, _) in enumerate(triples):
        for kind, picture in (("clean", clean), ("masked", masked)):
            path = options.out / kind / f"{number:05}.png"
            write_whole(path, cv2.imencode(".png", picture)[1].tobytes())
    return 0


if __name__ == "__main__":
    sys.exit(main())
