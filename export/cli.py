"""``edge-export``: make a bundle from recipes, or prove a bundle again."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from edge.cli.common import Parser, run_command, say, whole_number
from edge.errors import UnavailableError

__all__ = ["main"]

_PROGRAM = "edge-export"
_EXAMPLES = """\
examples:
  edge-export make --out my-bundle --data data
  edge-export make --out trial --only mask --limit 200
  edge-export verify my-bundle --data data
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; see ``edge-export --help``.

    Returns:
        The exit code; 3 where a network lost more than its card allows.
    """
    return run_command(_PROGRAM, _run, argv)


def _parser() -> Parser:
    parser = Parser(
        prog=_PROGRAM,
        description="Turn trained networks into INT8 artefacts that are proven on the runtime.",
        epilog=_EXAMPLES,
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    make = commands.add_parser("make", help="load, lower, quantise, verify, write a bundle")
    make.add_argument("--out", metavar="BUNDLE", type=Path, required=True, help="folder to write")
    make.add_argument("--work", metavar="DIR", type=Path, default=Path("runs/export"),
                      help="what the steps made (default: runs/export)")  # fmt: skip
    make.add_argument("--only", metavar="NAME", nargs="+", default=[], help="these recipes")
    verify = commands.add_parser("verify", help="measure a bundle again on its evidence data")
    verify.add_argument("bundle", metavar="BUNDLE", type=Path)
    for command in (make, verify):
        command.add_argument("--models", metavar="DIR", type=Path, default=Path("models"),
                             help="the recipes (default: models)")  # fmt: skip
        command.add_argument("--data", metavar="DIR", type=Path, default=Path("data"),
                             help="the data packs (default: data)")  # fmt: skip
        command.add_argument("--limit", metavar="N", type=whole_number,
                             help="prove on at most so many pictures a network")  # fmt: skip
    return parser


def _run(argv: Sequence[str]) -> int:
    options = _parser().parse_args(argv)
    if sys.version_info < (3, 11):
        raise UnavailableError(
            f"Python {sys.version.split()[0]}: the toolchain needs 3.11 or newer",
            hint="export on a workstation and copy the bundle to the device",
            code="export.python",
        )
    # Only here: --help needs none of the toolchain.
    if options.command == "make":
        from export.make import Settings, make

        settings = Settings(
            models=options.models,
            data=options.data,
            work=options.work,
            only=tuple(options.only),
            limit=options.limit,
        )
        make(options.out, settings, say=lambda line: say(_PROGRAM, line))
        print(options.out)
        return 0
    from edge.bundle import Bundle
    from export.check import check_bundle

    bundle = Bundle.open(options.bundle)
    for line in check_bundle(bundle, options.models, options.data, limit=options.limit):
        print(line)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
