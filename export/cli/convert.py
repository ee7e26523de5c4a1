"""``edge-export convert``: one network file, or several, into artefacts."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.cli.common import whole_number
from edge.errors import UsageError
from export.cards.card import METHODS
from export.cli.common import (
    PROGRAM,
    add_artefacts,
    add_json,
    add_means,
    add_pictures,
    add_size,
    add_work,
    print_json,
    print_table,
    wanted,
)
from export.progress import open_progress

if TYPE_CHECKING:
    from export.cli.jobs import Job, Result

__all__ = ["add"]

_EXAMPLES = """\
examples:
  edge-export convert network.onnx --out artefacts
  edge-export convert network.onnx --out artefacts --format tflite onnx --half
  edge-export convert emotion.hdf5 --out artefacts --int8 --data pictures --mean 127.5 --std 127.5
  edge-export convert models/mask --out artefacts --int8 --data data --max-drop 0.5
  edge-export convert *.onnx --out artefacts --imgsz 240x320 --jobs 2
"""


def add(commands: Any) -> None:
    """Add the command to a parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "convert",
        help="turn a network file into artefacts; a card is used where there is one",
        description="Convert PyTorch (.pt2), Keras, ONNX or float TFLite files, and compare every "
        "artefact with the original in the runtime that will run it. A model.toml beside the file "
        "says what its tensors mean, and what it is proven on.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("files", metavar="FILE", nargs="+", type=Path,
                        help="a network, or the folder of a recipe or of a SavedModel")  # fmt: skip
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="to write into")
    parser.add_argument("--card", metavar="FILE", type=Path,
                        help="model.toml of the network (default: the one beside it)")  # fmt: skip
    add_artefacts(parser)
    add_size(parser)
    add_pictures(parser)
    parser.add_argument("--limit", metavar="N", type=whole_number,
                        help="with a card: prove on at most so many pictures")  # fmt: skip
    parser.add_argument("--method", choices=METHODS,
                        help="how ranges are taken (default: minmax, or the card's)")  # fmt: skip
    add_means(parser)
    parser.add_argument("--min-db", metavar="DB", type=float,
                        help="keep layers of INT8 float until the outputs are so near")  # fmt: skip
    parser.add_argument("--jobs", metavar="N", type=whole_number, default=1,
                        help="files at one time (default: 1)")  # fmt: skip
    add_work(parser)
    parser.add_argument("--dry-run", action="store_true", help="say what would be made, and stop")
    add_json(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    jobs = _jobs(options)
    if options.dry_run:
        return _plan(jobs)
    from export.cli.jobs import run_jobs

    with open_progress(PROGRAM) as progress:
        results = run_jobs(jobs, options.jobs, progress)
    return _report(options, results)


def _jobs(options: argparse.Namespace) -> list[Job]:
    """Return what is to be done with each file.

    Raises:
        UsageError: the options do not go together, or two files with one another.
        ConfigError: a card is wrong.
    """
    from export.cards.beside import card_of
    from export.cards.card import read_card
    from export.cli.jobs import Job

    asked = wanted(options, "fp32")
    _check(options, any(precision == "int8" for _, precision in asked))
    card = read_card(options.card, whole=False) if options.card else None
    jobs = [Job(options, path, card or card_of(path), asked) for path in options.files]
    names = [job.name for job in jobs]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(
                f"two files are called {name}, and one's artefacts would replace the other's",
                hint="convert them into different folders",
                code="convert.names",
            )
    return jobs


def _check(options: argparse.Namespace, int8: bool) -> None:
    if options.card and len(options.files) > 1:
        raise UsageError(
            "--card: is of one network, and several files are given",
            hint="lay every card beside its network",
            code="convert.card",
        )
    if options.min_db is not None and options.max_drop is not None:
        raise UsageError("--min-db and --max-drop: give one of them", code="convert.mixed")
    if (options.min_db is not None or options.max_drop is not None) and not int8:
        raise UsageError(
            "--min-db and --max-drop keep layers of INT8 float, and no INT8 is wanted",
            hint="add --int8",
            code="convert.mixed",
        )
    if int8 and options.data is None:
        raise UsageError(
            "INT8 takes its ranges from real pictures, and there are none",
            hint="give a folder of them with --data",
            code="convert.calibration",
        )


def _plan(jobs: list[Job]) -> int:
    for job in jobs:
        source = job.source
        for format, precision in job.request.wanted:
            file = job.options.out / f"{source.name}.{precision}.{format}"
            print(f"{job.path} ({source.kind}) -> {file}")
    return 0


def _report(options: argparse.Namespace, results: list[Result]) -> int:
    """Print the table; the exit code is that of the first file that has one."""
    from edge.cli.common import say

    rows = [row for result in results for row in result.rows]
    if options.json:
        print_json(
            "convert",
            {
                "out": str(options.out),
                "networks": [result.record for result in results if not result.problem],
                "problems": {str(r.path): r.problem for r in results if r.problem},
            },
        )
    elif rows:
        print_table(rows)
    for result in results:
        if result.problem:
            say(PROGRAM, result.problem)
    return next((result.exit_code for result in results if result.exit_code), 0)
