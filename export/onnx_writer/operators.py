"""The table of TFLite operators that can be written as ONNX."""

from __future__ import annotations

from collections.abc import Mapping

from export.onnx_writer.convolution import CONVOLUTION
from export.onnx_writer.elementwise import ELEMENTWISE
from export.onnx_writer.layout import LAYOUT
from export.onnx_writer.site import Emitter
from export.onnx_writer.spatial import SPATIAL

__all__ = ["FOLDED", "OPERATORS"]

#: TFLite operator to what writes it.
OPERATORS: Mapping[str, Emitter] = dict(
    sorted({**CONVOLUTION, **ELEMENTWISE, **LAYOUT, **SPATIAL}.items())
)

#: Written only round a convolution, together with which they are a dilated one.
FOLDED = ("BATCH_TO_SPACE_ND", "SPACE_TO_BATCH_ND")
