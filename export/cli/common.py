"""What the commands of ``edge-export`` share: options that mean the same in all of them."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edge.cli.common import positive_number, whole_number
from edge.errors import UsageError

if TYPE_CHECKING:
    from export.calibration.calibrate import Calibrated
    from export.cards.card import TensorCard
    from export.making.table import Row
    from export.program.lowered import Lowered

__all__ = [
    "PROGRAM",
    "add_artefacts",
    "add_json",
    "add_means",
    "add_pictures",
    "add_size",
    "add_work",
    "draw_inputs",
    "picture_card",
    "print_json",
    "print_table",
    "wanted",
]

PROGRAM = "edge-export"


def print_table(rows: Sequence[Row]) -> None:
    """Print the table that an export ends with."""
    from export.making.table import render

    # Its arrow is not in every terminal's encoding.
    encoding = sys.stdout.encoding or "utf-8"
    print(render(rows).encode(encoding, "replace").decode(encoding))


def print_json(schema: str, table: dict[str, object]) -> None:
    """Print one object with its schema on standard output."""
    print(json.dumps({"schema": f"unveil-edge.{schema}/1", **table}))


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add ``--json``."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def add_work(parser: argparse.ArgumentParser) -> None:
    """Add ``--work``, the folder of what the steps made."""
    parser.add_argument("--work", metavar="DIR", type=Path, default=Path("runs/export"),
                        help="what the steps made (default: runs/export)")  # fmt: skip


def add_artefacts(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which artefacts are wanted."""
    from export.making.steps import OPSET

    parser.add_argument("--format", nargs="+", choices=("tflite", "onnx"), default=["tflite"],
                        help="formats (default: tflite)")  # fmt: skip
    parser.add_argument("--float", action="store_true", help="FP32")
    parser.add_argument("--half", action="store_true", help="FP16")
    parser.add_argument("--dynamic", action="store_true", help="dynamic range (TFLite)")
    parser.add_argument("--int8", action="store_true", help="full INT8, or explicit Q/DQ (ONNX)")
    parser.add_argument("--opset", metavar="N", type=int, default=OPSET,
                        help=f"of ONNX files (default: {OPSET})")  # fmt: skip


def add_means(parser: argparse.ArgumentParser) -> None:
    """Add what may be done for INT8 beside rounding, and return how layers may stay float."""
    parser.add_argument("--equalise", action="store_true", help="even out channels first")
    parser.add_argument("--correct-bias", action="store_true",
                        help="take the weights' mean error out of the biases")  # fmt: skip
    parser.add_argument("--max-drop", metavar="POINTS", type=positive_number,
                        help="keep layers of INT8 float until the task loses no more, on the "
                        "card's tuning data")  # fmt: skip


def add_size(parser: argparse.ArgumentParser) -> None:
    """Add ``--imgsz``."""
    parser.add_argument("--imgsz", metavar="HxW", type=_size,
                        help="height and width, for a network that leaves them open")  # fmt: skip


def add_pictures(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which pictures go into a bare file, and how."""
    parser.add_argument("--data", metavar="DIR", type=Path,
                        help="pictures: a folder or a data pack")  # fmt: skip
    parser.add_argument("--split", metavar="NAME", default="train",
                        help="of a data pack (default: train)")  # fmt: skip
    parser.add_argument("--count", metavar="N", type=whole_number, default=300,
                        help="pictures to calibrate with (default: 300)")  # fmt: skip
    parser.add_argument("--colour", choices=("RGB", "BGR", "GREY"), help="of the pictures")
    parser.add_argument("--mean", metavar="X", type=float,
                        help="a byte's real value is (byte - mean) / std")  # fmt: skip
    parser.add_argument("--std", metavar="X", type=positive_number)


def picture_card(options: argparse.Namespace, exact: Lowered) -> tuple[TensorCard, ...]:
    """Return what the one picture of a bare file means.

    Raises:
        UsageError: it takes more than one picture, or something was not said that only the user
            can know.
    """
    from export.cards.card import TensorCard

    specs = exact.contract.inputs
    if len(specs) != 1 or len(specs[0].shape) != 4 or specs[0].shape[3] not in (1, 3):
        raise UsageError(
            f"{exact.name}: its inputs {[list(s.shape) for s in specs]} are not one picture",
            hint="write a card (edge-export init) and samples.py, then: edge-export make",
            code="convert.inputs",
        )
    colour = "GREY" if specs[0].shape[3] == 1 else options.colour
    missing = [
        flag
        for flag, value in (("--colour", colour), ("--mean", options.mean), ("--std", options.std))
        if value is None
    ]
    if missing:
        raise UsageError(
            f"{exact.name}: what its pictures mean is not in the file",
            hint=f"give {', '.join(missing)}, as the network was trained",
            code="convert.pictures",
        )
    return (TensorCard("image", specs[0].shape, colour, mean=(options.mean,), std=(options.std,)),)


def draw_inputs(options: argparse.Namespace, exact: Lowered, *, method: str) -> Calibrated:
    """Return inputs made of the pictures that the options name.

    Args:
        options: with those of ``add_pictures``.
        exact: the float program, with its pictures' meaning.
        method: of calibration, for the record.
    """
    from export.calibration.calibrate import Draw, folder_inputs, pack_inputs

    draw = Draw(count=options.count, minimum=min(options.count, 300), method=method)
    if (options.data / "images.npz").is_file():
        return pack_inputs(options.data, options.split, exact.contract, draw)
    return folder_inputs(options.data, exact.contract, draw)


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([1-9]\d{0,4})[xX]([1-9]\d{0,4})", text, re.ASCII)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no size such as 240x320")
    return int(match[1]), int(match[2])


def wanted(options: argparse.Namespace, default: str) -> tuple[tuple[str, str], ...]:
    """Return format and precision of each artefact that the options ask for.

    Raises:
        UsageError: a precision was asked for that none of the formats has.
    """
    from export.program.lowered import FORMATS

    flags = {"fp32": "float", "fp16": "half", "dynamic": "dynamic", "int8": "int8"}
    asked = [p for p, flag in flags.items() if getattr(options, flag)] or [default]
    for precision in asked:
        if not any(precision in FORMATS[format] for format in options.format):
            raise UsageError(
                f"--{flags[precision]}: there is no {precision} {' or '.join(options.format)}",
                hint="see: edge-export --help",
                code="usage",
            )
    pairs = [(format, p) for format in options.format for p in asked if p in FORMATS[format]]
    return tuple(dict.fromkeys(pairs))
