"""``edge-export race``: which engine, precision and threads are best on this board."""

from __future__ import annotations

import argparse
import contextlib
import os
from pathlib import Path
from typing import Any

from edge.choice import MAX_THREADS, SCHEMA, race_file
from edge.cli.common import positive_number, say, whole_number
from edge.errors import OutputError
from edge.places import state_folder
from export.cli.common import PROGRAM, add_json
from export.progress import open_progress

__all__ = ["PYTHON", "add"]

#: It runs on the device.
PYTHON = (3, 10)
_DESCRIPTION = """\
Measure every way of running each network of a bundle on this board: engine x precision x threads,
in turn; and write which is best beside the bundle, as BUNDLE.race.json, where edge-run finds it.
"""
_EXAMPLES = """\
examples:
  edge-export race
  edge-export race my-bundle --threads 1 2 4 --seconds 5
  edge-export race my-bundle --data data --limit 500     # accuracy measured here, too

TensorRT takes part once its engines are built: edge-export build my-bundle --precision all
The rule of choice: docs/race.md
"""


def add(commands: Any) -> None:
    """Add the command to a parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "race",
        help="choose engine, precision and threads on this board",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("bundle", metavar="BUNDLE", type=Path, nargs="?",
                        help="default: the package's own")  # fmt: skip
    parser.add_argument("--data", metavar="DIR", type=Path,
                        help="measure accuracy on these data packs (default: the bundle's "
                        "evidence)")  # fmt: skip
    parser.add_argument("--limit", metavar="N", type=whole_number,
                        help="on at most so many pictures a network")  # fmt: skip
    parser.add_argument("--threads", metavar="N", type=_threads, nargs="+",
                        help="to try (default: 1, 2, 4, ... up to the cores)")  # fmt: skip
    parser.add_argument("--seconds", metavar="S", type=positive_number, default=2.0,
                        help="of timed runs a way, at least (default: 2)")  # fmt: skip
    parser.add_argument("--out", metavar="FILE", type=Path,
                        help="write there instead of beside the bundle")  # fmt: skip
    add_json(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    import json

    from edge.bundle import default_bundle
    from export.race.run import Plan, run_race
    from export.race.words import lines

    plan = Plan(
        threads=tuple(dict.fromkeys(options.threads or _powers())),
        seconds=options.seconds,
        data=options.data,
        limit=options.limit,
    )
    bundle = options.bundle or default_bundle()
    out = options.out or race_file(bundle)
    if out.parent == state_folder():
        # The package lies where its user may not write, and nothing may have made this one yet.
        with contextlib.suppress(OSError):
            out.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _check_folder(out.parent)
    with open_progress(PROGRAM) as progress:
        race = run_race(bundle, plan, say=progress)
    race.write(out)
    if options.json:
        print(json.dumps({"schema": SCHEMA, **race.to_json()}, allow_nan=False))
    else:
        print("\n".join(lines(race)))
    for reason in race.invalid:
        say(PROGRAM, f"the board was not fit, and the choice may be another one: {reason}")
    say(PROGRAM, f"wrote {out}")
    return 0


def _check_folder(folder: Path) -> None:
    """Find out before minutes of measuring that the result could not be written.

    Raises:
        OutputError: the folder is not there, or cannot be written to.
    """
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(
            f"{folder}: the result cannot be written there",
            hint="name another place with --out FILE",
            code="race.out",
        )


def _threads(text: str) -> int:
    number = whole_number(text)
    if number > MAX_THREADS:
        raise argparse.ArgumentTypeError(f"{text} threads are more than {MAX_THREADS}")
    return number


def _powers() -> tuple[int, ...]:
    """Return 1, 2, 4, ... up to the cores that this process may use."""
    cores = len(os.sched_getaffinity(0))
    return tuple(2**i for i in range(cores.bit_length()))
