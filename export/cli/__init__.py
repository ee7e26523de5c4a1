"""``edge-export``: from a trained network to a proven artefact. One file a command."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from edge.cli.common import Parser, run_command
from edge.errors import UnavailableError
from export.cli import build, bundle, convert, diff, init, inspect, make, race, verify
from export.cli.common import PROGRAM

__all__ = ["main"]

_COMMANDS = (make, convert, verify, inspect, init, bundle, diff, build, race)
#: Python that a command needs, unless its module names another as ``PYTHON``.
_PYTHON = (3, 11)
_EXAMPLES = """\
examples:
  edge-export init network.onnx --out my-network
  edge-export convert network.onnx --out artefacts --int8 --data pictures --mean 127.5 --std 127.5
  edge-export inspect artefacts/network.int8.tflite
  edge-export make --out my-bundle --data data
  edge-export verify my-bundle --data data
  edge-export build my-bundle
  edge-export race my-bundle
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; see ``edge-export --help``.

    Returns:
        The exit code; 3 where an artefact lost more than it may.
    """
    return run_command(PROGRAM, _run, argv)


def _parser() -> Parser:
    parser = Parser(
        prog=PROGRAM,
        description="Turn trained networks into INT8 and FP16 artefacts, proven on the runtime.",
        epilog=_EXAMPLES,
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in _COMMANDS:
        command.add(commands)
    return parser


def _run(argv: Sequence[str]) -> int:
    options = _parser().parse_args(argv)
    if sys.version_info < _needed(options.command):
        raise UnavailableError(
            f"Python {sys.version.split()[0]}: {PROGRAM} {options.command} needs 3.11 or newer",
            hint="export on a workstation and copy the bundle to the device",
            code="export.python",
        )
    code: int = options.run(options)
    return code


def _needed(command: str) -> tuple[int, int]:
    """Return the oldest Python that serves a command; those of a device are named like files."""
    module = next(m for m in _COMMANDS if m.__name__ == f"{__name__}.{command}")
    version: tuple[int, int] = getattr(module, "PYTHON", _PYTHON)
    return version
