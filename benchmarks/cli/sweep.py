"""``edge-bench sweep``: every way of running a bundle's networks, and which are worth having."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.cli.common import DRAWN, PROGRAM, Commands, print_object
from edge.cli.common import positive_number, say
from edge.manifest import ENGINES, PRECISIONS

if TYPE_CHECKING:
    from benchmarks.sweep import Wish
    from edge.bundle import Bundle

__all__ = ["add", "run"]

_MOST_THREADS = 256
_DESCRIPTION = """\
Time every network of a bundle, and the pipeline, in every precision and on every engine that it
has an artefact for, on several numbers of threads; all in turn, in rounds. Accuracy is the
evidence that the bundle carries.
"""
_EXAMPLES = """\
examples:
  edge-bench sweep --threads 1,2,4
  edge-bench sweep --bundle trial --subject mask detect --out sweep.json --html sweep.html
  edge-bench sweep --bundle small --bundle wide --subject pipeline --source photo.jpg
"""


def add(commands: Commands) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "sweep", help="threads, precisions, engines and sizes side by side",
        description=_DESCRIPTION, epilog=_EXAMPLES,
    )  # fmt: skip
    parser.add_argument(
        "--source", metavar="URI", default=DRAWN, help="as in edge-run (default: %(default)s)"
    )
    parser.add_argument(
        "--bundle", metavar="PATH", type=Path, action="append",
        help="networks; may be repeated (default: those of the package)",
    )  # fmt: skip
    parser.add_argument(
        "--threads", metavar="N,N", type=_numbers,
        help="of each engine (default: 1, 2, 4, ... as many as there are cores)",
    )  # fmt: skip
    for name, known in (("--engine", ENGINES), ("--precision", PRECISIONS)):
        parser.add_argument(
            name, metavar="NAME", nargs="+", choices=known, default=(),
            help=f"only artefacts for: {', '.join(known)}",
        )  # fmt: skip
    parser.add_argument(
        "--subject", metavar="NAME", nargs="+", default=(), help="only these: pipeline, or tasks"
    )
    parser.add_argument(
        "--seconds", metavar="S", type=positive_number, default=2.0,
        help="of timed runs a cell, at least (default: 2)",
    )  # fmt: skip
    parser.add_argument("--out", metavar="FILE", type=Path, help="write the JSON object there, too")
    parser.add_argument("--html", metavar="FILE", type=Path, help="write a page with plots")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Time all cells, print the table and write the files."""
    from benchmarks.latency.measure import hold_frames
    from benchmarks.records import write_record
    from benchmarks.sweep import find_ways, lines, page, sweep
    from edge.files import write_whole
    from edge.sources import open_source

    ways = find_ways(_bundles(options.bundle), _wish(options))
    with open_source(options.source, report=lambda fault: say(PROGRAM, fault)) as source:
        frames = hold_frames(source)
    say(PROGRAM, f"{len(ways)} cells, {len(ways) * options.seconds:.0f} s of timed runs in all")
    record = sweep(
        ways, frames, source=options.source, seconds=options.seconds, step=_Rounds(len(ways)).step
    )
    report = record.to_json()
    if options.out is not None:
        write_record(options.out, "sweep", report)
    if options.html is not None:
        write_whole(options.html, page(record).encode())
    if options.json:
        print_object({"kind": "sweep", **report})
    else:
        print("\n".join(lines(record)))
    return 0


class _Rounds:
    """Say on standard error when a round begins."""

    def __init__(self, cells: int) -> None:
        self._cells, self._round = cells, ""

    def step(self, said: str) -> None:
        """Take what follows: ``round 2 of 10, ...``."""
        number = said.partition(",")[0]
        if number != self._round:
            self._round = number
            say(PROGRAM, f"{number}, {self._cells} cells")


def _wish(options: argparse.Namespace) -> Wish:
    from benchmarks.sweep import Wish

    return Wish(
        threads=options.threads or _powers(),
        subjects=options.subject,
        engines=options.engine,
        precisions=options.precision,
    )


def _bundles(paths: Sequence[Path] | None) -> list[tuple[str, Bundle]]:
    """Open the bundles, each with the name it was given."""
    from edge.bundle import Bundle, default_bundle

    if not paths:
        return [("default", Bundle.open(default_bundle()))]
    return [(str(path), Bundle.open(path)) for path in paths]


def _powers() -> tuple[int, ...]:
    """Return 1, 2, 4, ... up to the cores that this process may use."""
    cores = len(os.sched_getaffinity(0))
    return tuple(2**i for i in range(cores.bit_length()))


def _numbers(text: str) -> tuple[int, ...]:
    """Read an argument such as ``1,2,4``."""
    parts = [part.strip() for part in text.split(",")]
    if not all(p.isascii() and p.isdigit() and 1 <= int(p[:9]) <= _MOST_THREADS for p in parts):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no list of whole numbers from 1 to {_MOST_THREADS}, such as 1,2,4"
        )
    return tuple(dict.fromkeys(int(part) for part in parts))
