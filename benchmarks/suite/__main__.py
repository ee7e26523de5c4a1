"""``python -m benchmarks.suite``: measure, and write results, docs/speed.md and README."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.readme import replace_between
from benchmarks.suite.steps import (
    FOOTPRINT,
    machine_name,
    measure_start,
    prepare,
    run_steps,
    steps,
)
from benchmarks.suite.tables import page, summary
from edge.cli.common import Parser, run_command, say
from edge.errors import MissingInput
from edge.files import write_whole

__all__ = ["main"]

_PROGRAM = "python -m benchmarks.suite"
_MARKS = ("<!-- speed -->", "<!-- /speed -->")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code."""
    return run_command(_PROGRAM, _run, argv)


def _run(argv: Sequence[str]) -> int:
    parser = Parser(
        prog=_PROGRAM,
        description="Measure this machine, and write what was found.",
        epilog="example: make bench",
    )
    parser.add_argument("--results", metavar="DIR", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--page", metavar="FILE", type=Path, default=Path("docs/speed.md"))
    parser.add_argument("--readme", metavar="FILE", type=Path, default=Path("README.md"))
    parser.add_argument(
        "--only",
        metavar="FILE",
        nargs="*",
        help="measure these anew, such as scaling.json; without a name write the tables again",
    )
    options = parser.parse_args(argv)
    out = options.results / machine_name()
    out.mkdir(parents=True, exist_ok=True)
    todo = list(steps())
    names = [step.file for step in todo]
    with tempfile.TemporaryDirectory() as folder:
        wanted = {*names, FOOTPRINT} if options.only is None else set(options.only)
        if wanted:
            picture = prepare(Path(folder))
            chosen = [step for step in todo if step.file in wanted]
            run_steps(chosen, out, picture.parent, say=lambda line: say(_PROGRAM, line))
            if FOOTPRINT in wanted:
                measure_start(out, picture, say=lambda line: say(_PROGRAM, line))
    commands = {step.file.removesuffix(".json"): step.command for step in todo}
    results = _read(out, names)
    text = options.readme.read_text(encoding="utf-8")
    write_whole(options.page, page(results, commands).encode())
    write_whole(options.readme, replace_between(text, _MARKS, "\n".join(summary(results))).encode())
    print("\n".join(summary(results)))
    return 0


def _read(folder: Path, needed: Sequence[str]) -> dict[str, dict[str, object]]:
    """Read every result of the machine, by the file's name without its ending."""
    for name in needed:
        if not (folder / name).is_file():
            raise MissingInput(f"{folder / name}: not measured yet", hint=f"run with --only {name}")
    files = [folder / name for name in (*needed, FOOTPRINT, "peers.json")]
    return {f.stem: json.loads(f.read_text(encoding="utf-8")) for f in files if f.is_file()}


if __name__ == "__main__":
    sys.exit(main())
