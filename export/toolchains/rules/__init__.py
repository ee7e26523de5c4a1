"""Hold an ONNX file to what TensorRT demands, without TensorRT: above all of explicit Q/DQ.

Sources: the TensorRT developer guide ("Explicit Quantization", "Q/DQ Layer-Placement
Recommendations") and onnx-tensorrt (docs/operators.md, docs/Changelog.md, the importers' own
checks). Each finding names its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from export.onnx_writer.view import View
from export.toolchains.rules.finding import Finding, Release, Rule
from export.toolchains.rules.pairs import PAIRS
from export.toolchains.rules.placement import PLACEMENT
from export.toolchains.rules.support import SUPPORT, first_release

__all__ = ["RULES", "Finding", "check_rules", "first_reader", "has_pairs"]

#: By name, in the order in which findings are told.
RULES: Mapping[str, Rule] = {**SUPPORT, **PAIRS, **PLACEMENT}
#: The newest whose tables are known.
_NEWEST: Release = (11, 4)


def check_rules(
    content: bytes, *, where: str = "the ONNX file", release: str = ""
) -> list[Finding]:
    """Check a network; what is not quantised breaks no rule of quantisation.

    Args:
        content: the ONNX file, without external data.
        where: its name, for messages.
        release: of TensorRT, such as ``10.3.0``; the newest where it is empty.

    Returns:
        What TensorRT would refuse or could not fuse, in the order of ``RULES``; empty if nothing.

    Raises:
        DataError: it is no ONNX file.
        UnavailableError: onnx is not installed.
    """
    view, wanted = View.read(content, where=where), _release(release)
    return [
        Finding(name, call.outputs[0], why, rule.source)
        for name, rule in RULES.items()
        for call, why in rule.check(view, wanted)
    ]


def first_reader(content: bytes, *, where: str = "the ONNX file") -> str | None:
    """Return the first release of TensorRT that reads a file, such as ``8.5``; None if none does.

    Raises:
        DataError: it is no ONNX file.
        UnavailableError: onnx is not installed.
    """
    return first_release(View.read(content, where=where))


def has_pairs(content: bytes, *, where: str = "the ONNX file") -> bool:
    """Tell whether a file is quantised explicitly.

    Raises:
        DataError: it is no ONNX file.
        UnavailableError: onnx is not installed.
    """
    view = View.read(content, where=where)
    return any(True for _ in view.of("QuantizeLinear", "DequantizeLinear"))


def _release(text: str) -> Release:
    numbers = re.match(r"(\d+)\.(\d+)", text)
    return (int(numbers[1]), int(numbers[2])) if numbers else _NEWEST
