"""``edge-bench``: figures a person can trust, on any board; one module a command."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.cli import accuracy, compare, latency, report, roofline, scaling, sweep
from edge.cli.common import Parser, run_command

__all__ = ["main"]

_PROGRAM = "edge-bench"
_EXAMPLES = """\
examples:
  edge-bench                                         (latency, on drawn faces)
  edge-bench latency --source photo.jpg
  edge-bench latency --source photo.jpg --scenario offline --json > today.json
  edge-bench accuracy mask --data data/mask3
  edge-bench accuracy emotion --data my-pictures     (my-pictures/happiness/*.jpg, ...)
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; see ``edge-bench --help``.

    Returns:
        The exit code.
    """
    return run_command(_PROGRAM, _run, argv)


def _parser() -> Parser:
    parser = Parser(
        prog=_PROGRAM,
        description="Measure the networks of a bundle through the runtime's own path. Without a "
        "command: latency.",
        epilog=_EXAMPLES,
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for module in (latency, accuracy, compare, sweep, scaling, roofline, report):
        module.add(commands)
    return parser


def _run(argv: Sequence[str]) -> int:
    if not argv or (argv[0].startswith("-") and argv[0] not in ("-h", "--help")):
        argv = ["latency", *argv]
    options = _parser().parse_args(argv)
    code: int = options.run(options)
    return code
