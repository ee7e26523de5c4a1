"""``edge-export build``: compile a bundle's networks for this machine's GPU."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.cli.common import TRUST, open_bundle, say, whole_number
from edge.errors import EdgeError
from export.cli.common import PROGRAM, add_json, print_json
from export.progress import open_progress

if TYPE_CHECKING:
    from export.toolchains.builds import Row

__all__ = ["PYTHON", "add"]

#: It runs on the device, whose Python is 3.10 under JetPack 6.
PYTHON = (3, 10)
_EXAMPLES = """\
examples:
  edge-export build my-bundle
  edge-export build my-bundle --precision fp16 --dla 0 --layers layers
"""


def add(commands: Any) -> None:
    """Add the command to a parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "build",
        help="compile a bundle's networks for this machine's GPU (TensorRT)",
        description="Compile the ONNX files of a bundle into TensorRT engines for exactly this "
        "GPU and this release, and keep them for edge-run --engine tensorrt. What was built "
        "before, and still fits, is left as it is.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("bundle", metavar="BUNDLE", type=Path, nargs="?",
                        help="default: the package's own")  # fmt: skip
    parser.add_argument("--trust", **TRUST)
    parser.add_argument("--precision", choices=("auto", "int8", "fp16", "fp32", "all"),
                        default="auto",
                        help="auto: int8 where the bundle has it, else fp16 (default)")  # fmt: skip
    parser.add_argument("--dla", metavar="N", type=int, choices=range(4),
                        help="on this deep-learning accelerator, the rest on the GPU")  # fmt: skip
    parser.add_argument("--batch", metavar="N", type=whole_number, default=4,
                        help="faces that an engine takes at once (default 4); networks that read "
                        "the whole frame take one")  # fmt: skip
    parser.add_argument("--memory-mib", metavar="N", type=whole_number,
                        help="for the builder's kernels (default: by what is free)")  # fmt: skip
    parser.add_argument("--cache", metavar="DIR", type=Path, help="where engines are kept")
    parser.add_argument("--layers", metavar="DIR", type=Path,
                        help="write there what became of every layer, for edge-export inspect "
                        "--built")  # fmt: skip
    parser.add_argument("--force", action="store_true", help="build all of them again")
    add_json(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from export.toolchains.builds import Wish, build_bundle

    bundle = open_bundle(options.bundle, options.trust)
    wish = Wish(
        precision=options.precision,
        dla=options.dla,
        memory_mib=options.memory_mib,
        force=options.force,
        layers=options.layers,
        batch=options.batch,
    )
    rows: list[Row] = []
    failed: EdgeError | None = None
    try:
        with open_progress(PROGRAM) as progress:
            for row in build_bundle(bundle, wish, cache=options.cache, say=progress):
                rows.append(row)
                if row.error is not None:
                    # The others are built all the same; the first one's error ends the command.
                    failed = failed or row.error
                    if row.error is not failed:
                        say(PROGRAM, row.error)
    finally:
        if options.json:
            print_json("build", {"bundle": bundle.name, "engines": [row.to_json() for row in rows]})
        for row in () if options.json else rows:
            print(row)
    if failed is not None:
        raise failed
    if any(row.built for row in rows) and not options.json:
        say(PROGRAM, _how_to_run(options))
    return 0


def _how_to_run(options: argparse.Namespace) -> str:
    """Return what takes the engines that were built; nothing does so by itself."""
    words = [] if options.bundle is None else [f"--bundle {options.bundle}"]
    words.append("--engine tensorrt")
    if options.precision not in ("auto", "all"):
        words.append(f"--precision {options.precision}")
    if options.dla is not None:
        words.append(f"--dla {options.dla}")
    bundle = "" if options.bundle is None else f" {options.bundle}"
    line = f"to run them: edge-run {' '.join(words)}"
    # A race is of the GPU: an accelerator has to be asked for.
    return line if options.dla is not None else f"{line}, or race them: edge-export race{bundle}"
