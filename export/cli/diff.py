"""``edge-export diff``: what changed from one bundle to another."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from export.cli.common import add_json, print_json

__all__ = ["add"]

_DIFFERENT = 1


def add(commands: Any) -> None:
    """Add the command to a parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "diff",
        help="what changed from one bundle to another, figures included",
        description="Compare two bundles. Exit code 0 where they say the same, 1 where not.",
        epilog="example:\n  edge-export diff old-bundle new-bundle",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("a", metavar="A", type=Path, help="the older bundle")
    parser.add_argument("b", metavar="B", type=Path, help="the newer bundle")
    add_json(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from edge.bundle import Bundle
    from export.bundles.diff import diff, to_json, to_lines

    changes = diff(Bundle.open(options.a), Bundle.open(options.b))
    if options.json:
        print_json("bundle-diff", to_json(changes))
    else:
        print("\n".join(to_lines(changes)))
    return _DIFFERENT if changes else 0
