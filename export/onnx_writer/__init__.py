"""Write a float TFLite file as ONNX with the same names."""

from __future__ import annotations

from export.onnx_writer.inputs import input_steps
from export.onnx_writer.operators import OPERATORS
from export.onnx_writer.writer import OPSETS, PRECISIONS, write_onnx

__all__ = [
    "OPERATORS",
    "OPSETS",
    "PRECISIONS",
    "input_steps",
    "write_onnx",
]
