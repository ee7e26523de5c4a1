"""edge-doctor: what keeps edge-run from running well on this machine; and the service's install."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edge.cli.common import TRUST, Parser, default_gallery, run_command

if TYPE_CHECKING:
    from edge.doctor.finding import Finding
    from edge.doctor.install import Step
    from edge.service import Config

__all__ = ["main"]

_PROGRAM = "edge-doctor"
_SCHEMA = "unveil-edge.doctor/2"
_INSTALL = "install"
_CONFIG = Path("/etc/unveil-edge/config.toml")
_ENVIRONMENT = Path("/opt/unveil-edge/venv")
_EPILOG = """\
subjects:
  python environment libraries engines bundle gallery jetson gpu race cameras picamera2
  disk memory temperature throttling power clock configuration service

examples:
  edge-doctor
  edge-doctor cameras picamera2
  edge-doctor --json
  sudo edge-doctor install --package unveil_edge-0.1.0-py3-none-any.whl

exit codes: 0 all is well; 1 a warning; 2 something fails
"""
_INSTALL_EPILOG = """\
It can be run again: what is so already stays as it is, and your configuration is never written
over.

examples:
  sudo edge-doctor install
  sudo edge-doctor install --package dist/unveil_edge-0.1.0-py3-none-any.whl --no-start
  sudo edge-doctor install --uninstall
  edge-doctor install --dry-run
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; see ``edge-doctor --help``.

    Returns:
        The exit code.
    """
    return run_command(_PROGRAM, _run, argv)


def _run(argv: Sequence[str]) -> int:
    if argv[:1] == [_INSTALL]:
        return _install(argv[1:])
    return _check(argv)


def _parser() -> Parser:
    parser = Parser(
        prog=_PROGRAM,
        usage=f"{_PROGRAM} [SUBJECT ...] [OPTION ...]\n       {_PROGRAM} {_INSTALL} --help",
        description="Check this machine; nothing is changed. Or install the service.",
        epilog=_EPILOG,
    )
    parser.add_argument("subjects", metavar="SUBJECT", nargs="*", help="look at these alone")
    parser.add_argument(
        "--bundle",
        metavar="PATH",
        type=Path,
        help="networks (default: those of the configuration, or of the package)",
    )
    parser.add_argument("--trust", **TRUST)
    parser.add_argument(
        "--gallery",
        metavar="PATH",
        type=Path,
        help=f"known people (default: those of the configuration, or {default_gallery()})",
    )
    parser.add_argument(
        "--config", metavar="FILE", type=Path, default=_CONFIG, help=f"default: {_CONFIG}"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def _check(argv: Sequence[str]) -> int:
    options = _parser().parse_args(argv)
    from edge.doctor.case import Case, Interpreter
    from edge.doctor.finding import Finding
    from edge.doctor.trial import try_import

    numpy = try_import("numpy")
    if not numpy.good:
        # The checks themselves stand on NumPy; without it this is all there is to say.
        mend = f"{Interpreter().pip} --force-reinstall numpy"
        return _say([Finding("numpy", "fail", numpy.said, mend)], as_json=options.json)
    from edge.bundle import default_bundle
    from edge.doctor.subjects import run_checks

    config = _service_config(options.config)
    case = Case(
        bundle=Path(options.bundle or config.bundle or default_bundle()),
        gallery=Path(options.gallery or config.gallery or default_gallery()),
        trust=options.trust or [Path(key) for key in config.trust] or None,
        config=options.config,
    )
    return _say(run_checks(case, options.subjects), as_json=options.json)


def _service_config(path: Path) -> Config:
    """Return the service's configuration, so that what it names is looked at; else all defaults."""
    from edge.errors import EdgeError
    from edge.service.config import Config, read_config

    try:
        return read_config(path)
    except EdgeError:  # the subject ``configuration`` tells of it
        return Config()


def _say(findings: list[Finding], *, as_json: bool) -> int:
    """Print what was found, and return the exit code that says how bad it is."""
    from edge.doctor.finding import severity

    if as_json:
        facts = [dataclasses.asdict(finding) for finding in findings]
        print(json.dumps({"schema": _SCHEMA, "findings": facts}))
        return severity(findings)
    for finding in findings:
        print(f"{finding.level:<4}  {finding.subject:<13}  {finding.what}")
        if finding.mend:
            change = "to change it: " if finding.level == "ok" else "mend it with: "
            print(f"      {change}{finding.mend}")
    return severity(findings)


def _install_parser() -> Parser:
    parser = Parser(
        prog=f"{_PROGRAM} {_INSTALL}",
        description="Make user, environment, configuration, udev rule and unit; start the service.",
        epilog=_INSTALL_EPILOG,
    )
    parser.add_argument(
        "--package",
        metavar="WHEEL|REQUIREMENT",
        help="what goes into the environment (default: this version, from the package index)",
    )
    parser.add_argument(
        "--config", metavar="FILE", type=Path, help=f"default: as it is installed, or {_CONFIG}"
    )
    parser.add_argument(
        "--env", metavar="DIR", type=Path, help=f"default: as it is installed, or {_ENVIRONMENT}"
    )
    parser.add_argument("--no-start", action="store_true", help="do not start the service now")
    parser.add_argument(
        "--root",
        metavar="DIR",
        type=Path,
        default=Path("/"),
        help="install into the tree of an image; nothing is started",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="change nothing, print what would be"
    )
    parser.add_argument(
        "--uninstall", action="store_true", help="take the service away; keep what is yours"
    )
    parser.add_argument(
        "--purge",
        action="store_true",
        help="with --uninstall: take configuration, gallery and user as well",
    )
    return parser


def _install(argv: Sequence[str]) -> int:
    parser = _install_parser()
    options = parser.parse_args(argv)
    if options.purge and not options.uninstall:
        parser.error("--purge goes with --uninstall")
    from edge.doctor import install as service

    machine = service.Machine(Path("/") / options.root.absolute())
    service.check_machine(machine, changes=not options.dry_run)
    there = service.read_target(machine) or service.Target()
    target = service.Target(options.env or there.environment, options.config or there.config)
    package = service.read_package(options.package)
    if options.uninstall:
        steps = service.uninstall(
            machine, target, package, purge=options.purge, dry=options.dry_run
        )
    else:
        steps = service.install(
            machine, target, package, start=not options.no_start, dry=options.dry_run
        )
    for step in steps:
        _show(step)
    return 0


def _show(step: Step) -> None:
    print(f"{step.verb:<8} {step.what}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
