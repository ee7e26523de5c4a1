"""``edge-bench scaling``: what more threads, processes and faces cost on this board."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.cli.common import PROGRAM, Commands, open_bundle, print_object
from edge.cli.common import Progress, positive_number, say, whole_number

if TYPE_CHECKING:
    from benchmarks.scaling.measure import Scaling

__all__ = ["add", "run"]

_EXAMPLES = """\
examples:
  edge-bench scaling --source face.jpg
  edge-bench scaling --source face.jpg --workers 4 --seconds 20 --json
"""


def add(commands: Commands) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "scaling", help="more threads, processes and faces beside one", epilog=_EXAMPLES
    )
    parser.add_argument(
        "--source", metavar="URI", required=True, help="its first frame has one large face"
    )
    parser.add_argument(
        "--workers",
        metavar="N",
        type=whole_number,
        default=min(2, os.cpu_count() or 1),
        help="threads and processes that are compared with one (default: 2)",
    )
    parser.add_argument(
        "--seconds",
        metavar="S",
        type=positive_number,
        default=5.0,
        help="of each comparison (default: 5)",
    )
    parser.add_argument("--bundle", metavar="PATH", type=Path, help="networks")
    parser.add_argument("--out", metavar="FILE", type=Path, help="write the JSON object there, too")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Compare, and print what was found."""
    from benchmarks.latency.measure import hold_frames
    from benchmarks.records import write_record
    from benchmarks.scaling.measure import measure_scaling
    from edge.bundle import default_bundle
    from edge.sources import open_source

    with open_source(options.source, report=lambda fault: say(PROGRAM, fault)) as source:
        frames = hold_frames(source)
    progress = Progress(None)
    scaling = measure_scaling(
        open_bundle(options.bundle),
        options.bundle or default_bundle(),
        frames,
        workers=options.workers,
        seconds=options.seconds,
        step=progress.step,
    )
    progress.clear()
    report = scaling.to_json()
    if options.out is not None:
        write_record(options.out, "scaling", report)
    if options.json:
        print_object(report)
    else:
        print(_text(scaling))
    return 0


def _text(scaling: Scaling) -> str:
    lines = []
    for gain in scaling.gains:
        low, high = gain.ratio.ci95
        lines.append(
            f"{gain.name:<36}{gain.ratio.value:>6.2f} times (95 %: {low:.2f} to {high:.2f})   "
            f"one {gain.one_ms:.3f} ms   {gain.says}"
        )
    return "\n".join([*lines, *(f"INVALID: {reason}" for reason in scaling.invalid)])
