"""``edge-export inspect``: every layer of an artefact, beside its float network."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.cli.common import positive_number
from edge.errors import DataError, GateFailed, UsageError
from edge.files import write_whole
from export.cli.common import (
    PROGRAM,
    add_json,
    add_pictures,
    draw_inputs,
    picture_card,
)
from export.importers.safety import read_bounded
from export.inspection.beside import means_beside
from export.progress import open_progress

if TYPE_CHECKING:
    from export.program.lowered import Lowered, Sample
    from export.toolchains.tensorrt.layers import PlanLayer

__all__ = ["add"]

#: Inputs that layers are compared on.
_MOST = 32
_EXAMPLES = """\
examples:
  edge-export inspect network.int8.tflite
  edge-export inspect network.int8.tflite --float network.fp32.tflite --html page.html
  edge-export inspect network.int8.onnx --built layers/network.int8.onnx.layers.json
"""


def add(commands: Any) -> None:
    """Add the command to a parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "inspect",
        help="what a file computes in, layer by layer",
        description="Say what an artefact computes in; with its float network also how near every "
        "layer is, what it costs, and whether anything failed in silence.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", metavar="FILE", type=Path, help="TFLite or ONNX")
    parser.add_argument("--float", metavar="FILE", type=Path, dest="exact",
                        help="the float TFLite file that it was made from")  # fmt: skip
    add_pictures(parser)
    parser.add_argument("--seconds", metavar="S", type=positive_number, default=10.0,
                        help="to spend on timing the layers (default: 10)")  # fmt: skip
    parser.add_argument("--built", metavar="FILE", type=Path,
                        help="what a board's TensorRT made of an ONNX file: written there by "
                        "edge-export build --layers")  # fmt: skip
    parser.add_argument("--html", metavar="FILE", type=Path, help="write a page with plots")
    add_json(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from export.inspection.artefact import inspect
    from export.program.lowered import real_values
    from export.report import page, show

    if options.exact is None and options.data:
        raise UsageError(
            f"{options.file}: layers are compared with those of its float network",
            hint="give --float FILE",
            code="inspect.float",
        )
    content, exact, samples = read_bounded(options.file), None, []
    if options.exact is not None:
        exact = _open_float(options)
        samples = [real_values(exact.contract.inputs, s) for s in _samples(options, exact)]
    with open_progress(PROGRAM) as progress, progress.step(f"{options.file.name}: every layer"):
        found = inspect(
            exact.content if exact else None,
            content,
            samples,
            where=options.file.name,
            seconds=options.seconds,
            means=means_beside(options.file),
            built=_kernels(options.built, content) if options.built else {},
        )
    if options.html:
        write_whole(options.html, page(found).encode())
    if options.json:
        print(json.dumps(found.to_json()))
    else:
        show(found, sys.stdout)
    return GateFailed.exit_code if found.findings or found.rules else 0


def _kernels(path: Path, content: bytes) -> dict[str, PlanLayer]:
    """Read what became of the layers on a board.

    Raises:
        DataError: it is no such file, or of another network.
    """
    from export.toolchains.builds import LAYERS_SCHEMA
    from export.toolchains.tensorrt.layers import by_operator, from_json

    try:
        table = json.loads(read_bounded(path))
        made_for = table["onnx_sha256"] if table["schema"] == LAYERS_SCHEMA else None
    except (ValueError, KeyError, TypeError, RecursionError):
        made_for = None
    if made_for != hashlib.sha256(content).hexdigest():
        raise DataError(
            f"{path}: does not say what became of this network",
            hint="write it where the network is built: edge-export build BUNDLE --layers DIR",
            code="inspect.built",
        )
    return by_operator(from_json(table.get("layers")))


def _open_float(options: argparse.Namespace) -> Lowered:
    from export.importers.tflite import open_tflite
    from export.program.lowered import Lowered, contract_of

    name, content = options.exact.stem, open_tflite(options.exact)
    contract = contract_of(content, "tflite", card=None, name=name)
    exact = Lowered(name, "tflite", "fp32", content, contract)
    if not options.data:
        return exact
    return exact.told(picture_card(options, exact))


def _samples(options: argparse.Namespace, exact: Lowered) -> list[Sample]:
    from export.program.lowered import random_inputs

    if not options.data:
        return random_inputs(exact)
    return draw_inputs(options, exact, method="minmax").samples[:_MOST]
