"""``edge-bench report``: results as one page with plots, and as Markdown."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.cli.common import Commands

__all__ = ["add", "run"]

_DESCRIPTION = """\
Write results of edge-bench latency, accuracy and sweep as one HTML page that needs nothing beside
itself, and as Markdown tables. With --bundle the evidence of the bundles that ran is set against
their times.
"""
_EXAMPLES = """\
examples:
  edge-bench report today.json --out today.html
  edge-bench report int8.json fp32.json sweep.json --out report.html --markdown report.md
  edge-bench report int8.json fp32.json --bundle trial --bundle trial-float --out report.html
"""
#: Results on one page.
_MOST = 100


def add(commands: Commands) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "report", help="results as a page, and as Markdown", description=_DESCRIPTION,
        epilog=_EXAMPLES,
    )  # fmt: skip
    parser.add_argument("results", metavar="RESULT", nargs="+", type=Path, help="result files")
    parser.add_argument("--out", metavar="FILE", type=Path, help="the page to write, HTML")
    parser.add_argument("--markdown", metavar="FILE", type=Path, help="the tables to write")
    parser.add_argument(
        "--bundle", metavar="PATH", type=Path, action="append", default=[],
        help="networks that a result was measured with, for their evidence; may be repeated",
    )  # fmt: skip
    parser.add_argument("--title", metavar="TEXT", default="Benchmark", help="of the page")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Read every result, then write what was asked for."""
    from benchmarks.records import read_record
    from benchmarks.report import markdown, page
    from benchmarks.report.named import name_all
    from edge.bundle import Bundle
    from edge.errors import UsageError
    from edge.files import write_whole

    if options.out is None and options.markdown is None:
        raise UsageError("there is nothing to write", hint="give --out FILE, or --markdown FILE")
    if len(options.results) > _MOST:
        raise UsageError(f"{len(options.results)} results are more than {_MOST}")
    paths = list(dict.fromkeys(options.results))
    results = name_all(paths, [read_record(path) for path in paths])
    bundles = [Bundle.open(path) for path in options.bundle]
    if options.out is not None:
        text = page(results, bundles=bundles, title=options.title)
        write_whole(options.out, text.encode())
        print(options.out)
    if options.markdown is not None:
        write_whole(options.markdown, markdown(results).encode())
        print(options.markdown)
    return 0
