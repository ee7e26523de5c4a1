"""How much of a hidden face a painter would have to know for a figure of reconstruction.

    python -m benchmarks.blurred --pairs runs/pairs

The covered part is filled with the truth itself, seen through a Gaussian blur that is as wide as
told. What a row gives is what a painter earns who knows the face that far and no further: a yard
by which to read ``edge-bench accuracy reconstruct``, whose two figures these are.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.figures import Measure, mean
from benchmarks.metrics import psnr, ssim
from benchmarks.readers import Row
from benchmarks.tasks.groups import person_of
from benchmarks.tasks.pair_folder import PairFolder, Triple
from edge.cli.common import Parser, run_command
from edge.errors import DataError

__all__ = ["Known", "main", "measure"]

_PROGRAM = "python -m benchmarks.blurred"
#: Standard deviations in pixels of the pictures as they lie in the folder.
_SIGMAS_PX = (2.0, 3.0, 4.0, 6.0, 8.0, 10.0, 12.0, 16.0)


@dataclass(frozen=True, slots=True)
class Known:
    """What the truth behind one blur earns.

    Attributes:
        sigma_px: standard deviation of the blur.
        psnr: dB over the whole picture.
        ssim: likewise.
    """

    sigma_px: float
    psnr: Measure
    ssim: Measure


def measure(
    triples: Iterable[Triple], rows: Sequence[Row], *, sigmas_px: Sequence[float] = _SIGMAS_PX
) -> list[Known]:
    """Return what each blur earns, means over the pictures with intervals over people.

    Args:
        triples: pictures with their drawn covers; the masked picture is not looked at.
        rows: who is in each.
        sigmas_px: of the blurs.

    Raises:
        DataError: there are no pictures, or one has no drawn cover.
    """
    earned: list[list[tuple[float, float]]] = []
    for number, (clean, _, cover) in enumerate(triples):
        if cover is None:
            raise DataError(f"picture {number} has no drawn cover", code="blurred.cover")
        earned.append([_earned(clean, cover > 0, sigma) for sigma in sigmas_px])
    if not earned:
        raise DataError("no pictures", code="blurred.empty")
    people = [person_of(row) for row in rows]
    table = np.array(earned)
    return [
        Known(sigma, mean(table[:, i, 0], people), mean(table[:, i, 1], people))
        for i, sigma in enumerate(sigmas_px)
    ]


def _earned(
    clean: NDArray[np.uint8], covered: NDArray[np.bool_], sigma_px: float
) -> tuple[float, float]:
    blurred = cv2.GaussianBlur(clean, (0, 0), sigma_px)
    filled = np.where(covered[..., None], blurred, clean).astype(np.uint8)
    return psnr(clean, filled), ssim(clean, filled)


def _run(argv: Sequence[str]) -> int:
    parser = Parser(
        prog=_PROGRAM,
        description="What a painter earns who knows the hidden face through a blur.",
        epilog="example: python -m benchmarks.blurred --pairs runs/pairs",
    )
    parser.add_argument(
        "--pairs", metavar="DIR", type=Path, required=True, help="clean/, masked/ and cover/"
    )
    parser.add_argument("--limit", metavar="N", type=int, help="only so many pictures")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(argv)
    folder = PairFolder(options.pairs, limit=options.limit)
    known = measure(folder, folder.rows)
    if options.json:
        print(json.dumps({"n": len(folder), "known": [asdict(row) for row in known]}))
        return 0
    print("| blur, px | PSNR dB | 95 % | SSIM | 95 % |\n| ---: | ---: | --- | ---: | --- |")
    for row in known:
        print(f"| {row.sigma_px:g} | {_cells(row.psnr, 2)} | {_cells(row.ssim, 4)} |")
    return 0


def _cells(figure: Measure, digits: int) -> str:
    low, high = figure.ci95
    return f"{figure.value:.{digits}f} | {low:.{digits}f} to {high:.{digits}f}"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run_command(_PROGRAM, _run, argv)


if __name__ == "__main__":
    sys.exit(main())
