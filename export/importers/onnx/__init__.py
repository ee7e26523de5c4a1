"""Read an ONNX file as a PyTorch module that lowers cleanly to TFLite.

    file      the bytes, bounded and parsed; what can never be read is refused
    tensors   stored numbers, inside the file or beside it
    graph     plain nodes in order, only those that the outputs need
    fuse      activations that exporters write out node by node
    plan      one walk: what is known is computed, what is not becomes a step
    steps     what each operator of the table is in PyTorch
    module    the steps as one module

Every operator has one meaning, a function on PyTorch tensors: on tensors without memory it gives
the shapes, on constants the folded values, and inside the module the network itself.
"""

from __future__ import annotations

from export.importers.onnx.importer import OnnxNetwork, OnnxTensor, open_onnx
from export.importers.onnx.table import OPERATORS, OPSETS, Operator

__all__ = ["OPERATORS", "OPSETS", "OnnxNetwork", "OnnxTensor", "Operator", "open_onnx"]
