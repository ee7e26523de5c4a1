"""Write a float TFLite file as ONNX with the same names, and hold Q/DQ to TensorRT's rules."""

from __future__ import annotations

from export.onnx_writer.inputs import input_steps
from export.onnx_writer.operators import OPERATORS
from export.onnx_writer.rules import Violation, check_qdq
from export.onnx_writer.writer import OPSETS, PRECISIONS, write_onnx

__all__ = [
    "OPERATORS",
    "OPSETS",
    "PRECISIONS",
    "Violation",
    "check_qdq",
    "input_steps",
    "write_onnx",
]
