"""What the commands of ``edge-bench`` share: options, and how an object is printed."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.records import SCHEMA
from edge.cli.common import whole_number

if TYPE_CHECKING:
    from edge.bundle import Bundle

__all__ = [
    "DRAWN",
    "PROGRAM",
    "SCHEMA",
    "Commands",
    "add_engine_options",
    "open_bundle",
    "print_object",
]

PROGRAM = "edge-bench"
#: A source that every machine has: one masked and one bare face that move, so that every stage has
#: work.
DRAWN = "synthetic://?faces=2&masked=1&frames=16"
#: What ``add`` of a command's module adds its parser to.
Commands = Any


def add_engine_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--bundle``, ``--engine``, ``--threads`` and ``--json``."""
    parser.add_argument(
        "--bundle", metavar="PATH", type=Path, help="networks (default: those of the package)"
    )
    parser.add_argument("--engine", metavar="NAME", help="instead of the bundle's own")
    parser.add_argument(
        "--threads", metavar="N", type=whole_number, default=1, help="of each engine (default: 1)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def open_bundle(path: Path | None) -> Bundle:
    """Open the named bundle, or the one that the package brings."""
    from edge.bundle import Bundle, default_bundle

    return Bundle.open(path or default_bundle())


def print_object(report: Mapping[str, object]) -> None:
    """Print one JSON object on one line, with its schema."""
    print(json.dumps({"schema": SCHEMA, **report}))
