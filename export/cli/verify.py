"""``edge-export verify``: measure a finished bundle again."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from export.cli.common import PROGRAM, add_json, print_json
from export.cli.make import add_recipes
from export.progress import open_progress

__all__ = ["add"]


def add(commands: Any) -> None:
    """Add the command to a parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "verify",
        help="measure a bundle again on its evidence data",
        description="Hold a bundle to its own evidence, in the runtime that will run it.",
        epilog="example:\n  edge-export verify my-bundle --data data",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("bundle", metavar="BUNDLE", type=Path)
    add_recipes(parser)
    add_json(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from edge.bundle import Bundle
    from export.gate.check import check_bundle

    bundle, found = Bundle.open(options.bundle), []
    try:
        with open_progress(PROGRAM) as progress:
            for checked in check_bundle(
                bundle, options.models, options.data, limit=options.limit, say=progress
            ):
                found.append(checked)
    finally:
        # What was measured before one failed is a result as well.
        if options.json:
            rows = [checked.to_json() for checked in found]
            print_json("verify", {"bundle": str(options.bundle), "artefacts": rows})
        for checked in () if options.json else found:
            print(checked)
    return 0
