"""``edge-export convert``: one network file, or several, into artefacts."""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.cli.common import whole_number
from edge.errors import EdgeError, UsageError
from export.cards.card import METHODS
from export.cards.names import shorten
from export.cli.common import (
    add_artefacts,
    add_json,
    add_pictures,
    add_size,
    add_work,
    draw_inputs,
    picture_card,
    print_json,
    progress,
    wanted,
)
from export.making.table import Row, render

if TYPE_CHECKING:
    from export.making.artefacts import Request

__all__ = ["add"]

#: Layers at which two artefacts part, named.
_NAMED = 3
_EXAMPLES = """\
examples:
  edge-export convert network.onnx --out artefacts
  edge-export convert network.onnx --out artefacts --format tflite onnx --half
  edge-export convert emotion.hdf5 --out artefacts --int8 --data pictures --mean 127.5 --std 127.5
  edge-export convert *.onnx --out artefacts --imgsz 240x320 --jobs 2
"""


def add(commands: Any) -> None:
    """Add the command to a parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "convert",
        help="turn a network file into artefacts; no card, no task",
        description="Convert PyTorch (.pt2), Keras, ONNX or float TFLite files, and compare every "
        "artefact with the float network in the runtime that will run it.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("files", metavar="FILE", nargs="+", type=Path)
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="to write into")
    add_artefacts(parser)
    add_size(parser)
    add_pictures(parser)
    parser.add_argument("--method", choices=METHODS, default=METHODS[0],
                        help="how ranges are taken (default: minmax)")  # fmt: skip
    parser.add_argument("--equalise", action="store_true", help="even out channels first")
    parser.add_argument("--correct-bias", action="store_true",
                        help="take the weights' mean error out of the biases")  # fmt: skip
    parser.add_argument("--min-db", metavar="DB", type=float,
                        help="keep layers of INT8 float until the outputs are so near")  # fmt: skip
    parser.add_argument("--jobs", metavar="N", type=whole_number, default=1,
                        help="files at one time (default: 1)")  # fmt: skip
    add_work(parser)
    parser.add_argument("--dry-run", action="store_true", help="say what would be made, and stop")
    add_json(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from export.making.artefacts import Request

    request = Request(
        wanted=wanted(options, "fp32"),
        method=options.method,
        opset=options.opset,
        equalise=options.equalise,
        correct=options.correct_bias,
        min_db=options.min_db,
    )
    if request.int8 and options.data is None:
        raise UsageError(
            "INT8 takes its ranges from real pictures, and there are none",
            hint="give a folder of them with --data",
            code="convert.calibration",
        )
    names = [path.stem for path in options.files]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(
                f"two files are called {name}, and one's artefacts would replace the other's",
                hint="convert them into different folders",
                code="convert.names",
            )
    if options.dry_run:
        return _plan(options, request)
    jobs = [(options, path, request) for path in options.files]
    if options.jobs == 1 or len(jobs) == 1:
        results = [_convert(*job) for job in jobs]
    else:
        # A process of its own for each: the converters are not made for threads.
        with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
            results = [future.result() for future in [pool.submit(_convert, *j) for j in jobs]]
    return _report(options, results)


@dataclass(frozen=True, slots=True)
class _Result:
    """One file: its record and its rows, or why there are none."""

    path: Path
    record: dict[str, object]
    rows: tuple[Row, ...]
    problem: str = ""
    exit_code: int = 0


def _convert(options: argparse.Namespace, path: Path, request: Request) -> _Result:
    """Convert one file; what is wrong with it leaves the others alone."""
    from export.importers.source import find_source
    from export.making.artefacts import Inputs
    from export.making.conversion import convert_source, write_conversion
    from export.program.lowered import Lowered

    def inputs(exact: Lowered) -> Inputs:
        if options.data is None:
            return Inputs()
        pictures = picture_card(options, exact)
        drawn = draw_inputs(options, exact.told(pictures), method=request.method)
        return Inputs(drawn.samples, drawn.held_back, pictures, drawn.manifest)

    try:
        done = convert_source(
            find_source(path, size_hw=options.imgsz),
            request,
            inputs=inputs,
            work=options.work / "convert",
            say=progress,
        )
        write_conversion(done, options.out)
        for layer in done.agreement[:_NAMED]:
            progress(
                f"{done.source.name}: TFLite and ONNX in INT8 part at {shorten(layer.name, 60)}: "
                f"{layer.mutual_db:.1f} dB between them, {layer.lost_db:.1f} dB lost there"
            )
    except EdgeError as error:
        return _Result(path, {}, (), str(error), error.exit_code)
    return _Result(path, done.to_json(), done.rows)


def _plan(options: argparse.Namespace, request: Request) -> int:
    from export.importers.source import find_source

    for path in options.files:
        source = find_source(path, size_hw=options.imgsz)
        for format, precision in request.wanted:
            file = options.out / f"{source.name}.{precision}.{format}"
            print(f"{path} ({source.kind}) -> {file}")
    return 0


def _report(options: argparse.Namespace, results: list[_Result]) -> int:
    """Print the table; the exit code is the worst file's."""
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
        print(render(rows))
    for result in results:
        if result.problem:
            progress(result.problem)
    return next((result.exit_code for result in results if result.exit_code), 0)
