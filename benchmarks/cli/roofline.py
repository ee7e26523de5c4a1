"""``edge-bench roofline``: what the machine can do at most, and what every layer makes of it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.cli.common import PROGRAM, Commands, open_bundle, print_object
from edge.cli.common import positive_number, say, whole_number
from edge.errors import BundleError

if TYPE_CHECKING:
    from benchmarks.roofline.measure import Subject
    from benchmarks.roofline.report import Report
    from edge.bundle import Bundle

__all__ = ["add", "run"]

_EXAMPLES = """\
examples:
  edge-bench roofline
  edge-bench roofline --task mask --task emotion --threads 2
  edge-bench roofline --bundle trial --html roofline.html --json > roofline.json
"""
_SECONDS = 4.0


def add(commands: Commands) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "roofline",
        help="how near every layer comes to what the machine can do",
        description=(
            "Measure the multiply-accumulates and bytes a second that the machine attains in the "
            "runtime, and where every layer of the bundle's networks lies below them."
        ),
        epilog=_EXAMPLES,
    )
    parser.add_argument(
        "--bundle", metavar="PATH", type=Path, help="networks (default: those of the package)"
    )
    parser.add_argument(
        "--task", metavar="TASK", action="append", help="only this one; may be repeated"
    )
    parser.add_argument("--precision", metavar="NAME", help="such as int8 or fp32")
    parser.add_argument(
        "--threads", metavar="N", type=whole_number, default=1, help="of the runtime (default: 1)"
    )
    parser.add_argument(
        "--seconds",
        metavar="S",
        type=positive_number,
        default=_SECONDS,
        help=f"for the turns, and for the layers of each network (default: {_SECONDS:.0f})",
    )
    parser.add_argument("--html", metavar="FILE", type=Path, help="also write a page with plots")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Measure and print."""
    from benchmarks.roofline.page import page
    from benchmarks.roofline.report import terminal
    from edge.files import write_whole

    report = _report(options)
    if options.html is not None:
        write_whole(options.html, page(report).encode())
    if options.json:
        print_object(report.to_json())
    else:
        print(terminal(report))
    return 0


def _report(options: argparse.Namespace) -> Report:
    import datetime

    from benchmarks.fingerprint import Watch, read_conditions, take_fingerprint, verdict
    from benchmarks.roofline.measure import measure
    from benchmarks.roofline.report import Report

    bundle = open_bundle(options.bundle)
    subjects, left_out = _subjects(bundle, options.task, options.precision)
    fingerprint = take_fingerprint(engine="tflite", threads=options.threads, bundle=bundle.digest)
    before = read_conditions()
    with Watch() as watch:
        ceilings, networks = measure(
            subjects,
            threads=options.threads,
            counts=sorted({1, options.threads, fingerprint.cores_allowed}),
            seconds=options.seconds,
            tell=lambda line: say(PROGRAM, line),
        )
    after = read_conditions(before)
    return Report(
        date=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        invalid=verdict(before, after, watch.samples, needed=options.threads),
        ceilings=ceilings,
        networks=networks,
        left_out=left_out,
        fingerprint=fingerprint,
        before=before,
        after=after,
    )


def _subjects(
    bundle: Bundle, tasks: list[str] | None, precision: str | None
) -> tuple[list[Subject], tuple[str, ...]]:
    """Return the networks, and the tasks that have none for this runtime.

    Raises:
        BundleError: no network is left.
    """
    from benchmarks.roofline.measure import Subject

    wanted = bundle.tasks if tasks is None else tuple(dict.fromkeys(tasks))
    subjects, left_out = [], []
    for task in wanted:
        artefact = bundle.artefact(task, precision=precision)
        if artefact.engine == "tflite":
            subjects.append(Subject(task, artefact.file, artefact.content))
        else:
            left_out.append(task)
    if not subjects:
        raise BundleError(
            f"bundle {bundle.name}: has no TFLite network for {', '.join(wanted)}",
            hint="name another with --bundle",
            code="roofline.networks",
        )
    return subjects, tuple(left_out)
