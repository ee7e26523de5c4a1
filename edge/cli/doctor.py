"""edge-doctor: what keeps edge-run from running well on this machine, and what mends it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

from edge.cli.common import TRUST, Parser, default_gallery, run_command

__all__ = ["main"]

_PROGRAM = "edge-doctor"
_SCHEMA = "unveil-edge.doctor/1"
_EPILOG = """\
example:
  edge-doctor --json

exit codes: 0 all is well; 1 a warning; 2 something fails
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; see ``edge-doctor --help``.

    Returns:
        The exit code.
    """
    return run_command(_PROGRAM, _run, argv)


def _parser() -> Parser:
    parser = Parser(
        prog=_PROGRAM,
        description="Check this machine; nothing is changed.",
        epilog=_EPILOG,
    )
    parser.add_argument(
        "--bundle", metavar="PATH", type=Path, help="networks (default: those of the package)"
    )
    parser.add_argument("--trust", **TRUST)
    parser.add_argument(
        "--gallery", metavar="PATH", type=Path, help=f"default: {default_gallery()}"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def _run(argv: Sequence[str]) -> int:
    options = _parser().parse_args(argv)
    try:
        from edge.bundle import default_bundle
        from edge.doctor import run_checks, severity
    except ImportError as error:
        # The checks themselves stand on NumPy; without it this is all there is to say.
        print(f"fail  libraries    {error}\n      mend it with: python -m pip install unveil-edge")
        return 2
    findings = run_checks(
        bundle=options.bundle or default_bundle(),
        gallery=options.gallery or default_gallery(),
        trust=options.trust,
    )
    if options.json:
        facts = [dataclasses.asdict(finding) for finding in findings]
        print(json.dumps({"schema": _SCHEMA, "findings": facts}))
        return severity(findings)
    for finding in findings:
        print(f"{finding.level:<4}  {finding.subject:<11}  {finding.what}")
        if finding.mend:
            print(f"      mend it with: {finding.mend}")
    return severity(findings)


if __name__ == "__main__":
    raise SystemExit(main())
