"""``edge-bench compare``: which of two is faster, or better, and whether that can be told."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.cli.common import DRAWN, PROGRAM, Commands, print_object
from edge.cli.common import Progress, positive_number, say, whole_number

if TYPE_CHECKING:
    from benchmarks.compare import AccuracyContest, Contest

__all__ = ["add", "run"]

_DESCRIPTION = """\
Compare two bundles, two ways of running one, or two result files.

A and B are each BUNDLE[@[ENGINE][/PRECISION][:THREADS]], where BUNDLE is a path, or `default`
for the networks of the package; or a file that edge-bench wrote with --json or --out.
Bundles run in turn, block by block, so that both meet the same load of the machine. Files were
measured apart, and the intervals are wider for it.
"""
_EXAMPLES = """\
examples:
  edge-bench compare old new --source photo.jpg
  edge-bench compare default@tflite default@tflite:2 --seconds 20
  edge-bench compare trial@tflite/fp32 trial@tflite/int8 --subject engine:mask
  edge-bench compare monday.json today.json
"""


def add(commands: Commands) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "compare", help="which of two is faster, or better", description=_DESCRIPTION,
        epilog=_EXAMPLES,
    )  # fmt: skip
    parser.add_argument("a", metavar="A", help="a bundle, or a result file")
    parser.add_argument("b", metavar="B", help="another")
    parser.add_argument(
        "--source", metavar="URI", default=DRAWN, help="as in edge-run (default: %(default)s)"
    )
    parser.add_argument(
        "--subject",
        metavar="NAME",
        default="pipeline",
        help="pipeline, stage:NAME or engine:TASK (default: pipeline)",
    )
    parser.add_argument(
        "--threads",
        metavar="N",
        type=whole_number,
        default=1,
        help="of each engine, where A or B does not say (default: 1)",
    )
    parser.add_argument(
        "--seconds",
        metavar="S",
        type=positive_number,
        default=10.0,
        help="of both together, at least (default: 10)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Compare and say who won."""
    from benchmarks.compare import words

    files = [_is_result(name) for name in (options.a, options.b)]
    contest = _files(options) if all(files) else _bundles(options, files)
    if options.json:
        print_object(contest.to_json())
    else:
        print("\n".join(words.lines(contest)))
    return 0


def _is_result(name: str) -> bool:
    """Tell a result file from a bundle by its first character; a bundle in one file is a zip."""
    path = Path(name)
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(64).lstrip().startswith(b"{")


def _files(options: argparse.Namespace) -> Contest | AccuracyContest:
    """Compare two result files.

    Raises:
        UsageError: they are of two kinds, or of one that does not compare.
    """
    from benchmarks.compare import compare_accuracy, compare_latency
    from benchmarks.records import AccuracyRecord, LatencyRecord, read_record
    from edge.errors import UsageError

    a, b = read_record(Path(options.a)), read_record(Path(options.b))
    names = (options.a, options.b)
    if isinstance(a, LatencyRecord) and isinstance(b, LatencyRecord):
        return compare_latency(a, b, names=names)
    if isinstance(a, AccuracyRecord) and isinstance(b, AccuracyRecord):
        return compare_accuracy(a, b, names=names)
    raise UsageError(
        f"{options.a} and {options.b} do not compare",
        hint="name two latency results or two accuracy results",
        code="bench.apart",
    )


def _bundles(options: argparse.Namespace, files: list[bool]) -> Contest:
    """Run two bundles in turn.

    Raises:
        UsageError: one of the two is a file.
    """
    from benchmarks.compare import compare_choices
    from benchmarks.latency.measure import hold_frames
    from benchmarks.race import as_choice
    from edge.errors import UsageError
    from edge.sources import open_source

    if any(files):
        raise UsageError(
            "one of the two is a result and one a bundle",
            hint="measure the bundle against it with: edge-bench latency --against RESULT",
            code="bench.apart",
        )
    a, b = (as_choice(name, threads=options.threads) for name in (options.a, options.b))
    progress = Progress(None)
    with open_source(options.source, report=lambda fault: say(PROGRAM, fault)) as source:
        frames = hold_frames(source)
    try:
        return compare_choices(
            a, b, frames, seconds=options.seconds, subject=options.subject, step=progress.step
        )
    finally:
        progress.clear()
