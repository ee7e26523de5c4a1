"""``edge-export init``: a first card for a network, from what the network itself says."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from export.cli.common import add_size

__all__ = ["add"]


def add(commands: Any) -> None:
    """Add the command to a parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "init",
        help="write a first model.toml by looking at a network",
        description="Write a first model.toml. Guesses are marked in it; check them.",
        epilog="example:\n  edge-export init MobileFaceNet.onnx --out models/mobilefacenet",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", metavar="FILE", type=Path, help="the network")
    parser.add_argument("--out", metavar="DIR", type=Path,
                        help="folder of the card (default: the network's own)")  # fmt: skip
    add_size(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from export.cards.init import write_card

    out = options.out if options.out is not None else options.file.parent
    print(write_card(options.file, out, input_hw=options.imgsz))
    return 0
