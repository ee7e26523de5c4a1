"""Write the table of networks that nobody here made."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from benchmarks.foreign.catalogue import ABSENT, NETWORKS
from benchmarks.foreign.picture import Arrays, Run
from benchmarks.foreign.trials import FINDER, face_finder
from edge.cli.common import Parser, run_command, whole_number
from edge.errors import MissingInput, UsageError
from edge.files import write_whole
from export.cache import digest
from export.progress import open_progress
from export.proof.engines import open_original
from export.proof.judge import Settings
from export.proof.page import page
from export.proof.prove import prove
from export.proof.record import earlier_rows, record
from export.proof.row import Row
from export.proof.shapes.catalogue import SHAPES
from export.proof.subject import Subject, of_network, of_shape

__all__ = ["main"]

_PROGRAM = "export.proof"
_EXAMPLES = """\
examples:
  python -m export.proof --weights weights --data data --out benchmarks/results/foreign.json \\
      --page docs/foreign.md
  python -m export.proof --weights weights --data data --out trial.json --only yunet-n-320 \\
      --limit 50
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code."""
    return run_command(_PROGRAM, _run, argv)


def _parser() -> Parser:
    parser = Parser(
        prog=f"python -m {_PROGRAM}",
        description="Convert networks that nobody here made, and measure what that costs.",
        epilog=_EXAMPLES,
    )
    parser.add_argument("--weights", metavar="DIR", type=Path, required=True,
                        help="folder of the networks' files")  # fmt: skip
    parser.add_argument("--data", metavar="DIR", type=Path, required=True,
                        help="folder of the data packs")  # fmt: skip
    parser.add_argument("--out", metavar="FILE", type=Path, required=True,
                        help="record to write; rows that are not made again stay")  # fmt: skip
    parser.add_argument("--page", metavar="FILE", type=Path, help="also write the table, Markdown")
    parser.add_argument("--work", metavar="DIR", type=Path, default=Path("runs/proof"),
                        help="what the steps made (default: runs/proof)")  # fmt: skip
    parser.add_argument("--only", metavar="NAME", nargs="+", default=[], help="these networks")
    parser.add_argument("--limit", metavar="N", type=whole_number,
                        help="judge on at most so many pictures or pairs")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print the record, not the table")
    return parser


def _run(argv: Sequence[str]) -> int:
    options = _parser().parse_args(argv)
    names = [*(n.name for n in NETWORKS), *(s.name for s in SHAPES), *(a.name for a in ABSENT)]
    unknown = set(options.only) - set(names)
    if unknown:
        raise UsageError(
            f"there is no network {sorted(unknown)[0]!r}",
            hint=f"there are {', '.join(names)}",
            code="proof.name",
        )
    earlier = earlier_rows(options.out, limit=options.limit)
    rows: dict[str, Row] = {}
    finder_file = options.weights / FINDER
    with open_progress(_PROGRAM) as progress:
        settings = Settings(
            data=options.data,
            work=options.work,
            finder=face_finder(_when_needed(finder_file)),
            finder_key=digest(finder_file.read_bytes() if finder_file.is_file() else b""),
            limit=options.limit,
            say=progress,
        )
        progress.expect(len(options.only or names))
        for name, subject in _subjects(options.weights, settings):
            if options.only and name not in options.only:
                continue
            with progress.step(name):
                rows[name] = _row(name, subject, settings)
            _write(options.out, options.page, record(names, rows, earlier, limit=options.limit))
    written = record(names, rows, earlier, limit=options.limit)
    print(json.dumps(written) if options.json else page(written))
    return 0


def _subjects(weights: Path, settings: Settings) -> list[tuple[str, Callable[[], Subject] | Row]]:
    """Return every network by name: how to open it, or the row of one that is not to be had."""
    return [
        *(
            (network.name, partial(of_network, network, weights, settings.data, settings.finder))
            for network in NETWORKS
        ),
        *((shape.name, partial(of_shape, shape)) for shape in SHAPES),
        *((gone.name, Row(gone.name, gone.summary, "", "", absent=gone.reason)) for gone in ABSENT),
    ]


def _row(name: str, subject: Callable[[], Subject] | Row, settings: Settings) -> Row:
    if isinstance(subject, Row):
        return subject
    try:
        return prove(subject(), settings)
    except MissingInput as error:
        if error.code != "proof.missing":
            raise
        return Row(name, "", "", "", absent=error.what)


def _when_needed(path: Path) -> Run:
    """Open the face finder's network with the first face that is looked for."""
    opened: list[Run] = []

    def run(inputs: Arrays) -> Arrays:
        if not opened:
            if not path.is_file():
                raise MissingInput(f"{path}: finds faces for this network and is not at hand",
                                   code="proof.missing")  # fmt: skip
            opened.append(open_original(path))
        return opened[0](inputs)

    return run


def _write(out: Path, page_path: Path | None, written: dict[str, object]) -> None:
    write_whole(out, (json.dumps(written, indent=1) + "\n").encode())
    if page_path is not None:
        write_whole(page_path, page(written).encode())


if __name__ == "__main__":
    sys.exit(main())
