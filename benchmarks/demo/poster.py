"""Put the demo's two best pictures into one for the README.

python -m benchmarks.demo.poster demo docs/demo.jpg
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from edge.cli.common import Parser, run_command
from edge.errors import MissingInput
from edge.files import write_whole

__all__ = ["main"]

_PROGRAM = "python -m benchmarks.demo.poster"
_WIDTH = 1024
_QUALITY = 88


def _run(argv: Sequence[str]) -> int:
    parser = Parser(prog=_PROGRAM)
    parser.add_argument("demo", type=Path, help="folder that make demo wrote")
    parser.add_argument("out", type=Path)
    options = parser.parse_args(argv)
    rows = []
    for names in (("annotated/bare.jpg", "annotated/masked.jpg"), ("strip.png",)):
        pictures = []
        for name in names:
            picture = cv2.imread(str(options.demo / name))
            if picture is None:
                raise MissingInput(f"{options.demo / name}: not there", hint="run: make demo")
            pictures.append(picture)
        row = np.hstack(pictures)
        size = (_WIDTH, round(row.shape[0] * _WIDTH / row.shape[1]))
        rows.append(cv2.resize(row, size, interpolation=cv2.INTER_AREA))
    packed = cv2.imencode(".jpg", np.vstack(rows), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1]
    write_whole(options.out, packed.tobytes())
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Write the picture; return the exit code."""
    return run_command(_PROGRAM, _run, argv)


if __name__ == "__main__":
    sys.exit(main())
