"""Parts of a TFLite graph in the making: operators and tensors of the schema's ``ModelT``."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.anatomy.flatbuffer import set_constant

__all__ = ["new_operator", "reshape", "tensor_like"]


def new_operator(
    model: Any,
    name: str,
    inputs: Sequence[int],
    output: int,
    options: Any,
    *,
    version: int = 1,
) -> Any:
    """Return an operator that is not in the graph yet; its code is added where it is new.

    Args:
        model: the schema's ``ModelT``.
        name: of the operator in the schema, such as ``RESHAPE``.
        inputs, output: tensor indices.
        options: the schema's ``...OptionsT`` of the operator.
        version: of the operator, at least.
    """
    from ai_edge_litert import schema_py_generated as schema

    operator = schema.OperatorT()
    operator.opcodeIndex = _code(model, name, version)
    operator.inputs = np.array(inputs, np.int32)
    operator.outputs = np.array([output], np.int32)
    operator.builtinOptions = options
    table = type(options).__name__.removesuffix("T")
    operator.builtinOptionsType = getattr(schema.BuiltinOptions, table)
    return operator


def reshape(model: Any, source: int, target: int) -> Any:
    """Return a RESHAPE that is not in the graph yet, to the shape that its result has."""
    from ai_edge_litert import schema_py_generated as schema

    tensors = model.subgraphs[0].tensors
    shape = np.array(tensors[target].shape, np.int32)
    options = schema.ReshapeOptionsT()
    options.newShape = shape
    sizes = schema.TensorT()
    sizes.name, sizes.type = tensors[target].name + b"_shape", schema.TensorType.INT32
    sizes.buffer = 0
    tensors.append(sizes)
    index = len(tensors) - 1
    set_constant(model, index, shape)
    return new_operator(model, "RESHAPE", [source, index], target, options)


def tensor_like(model: Any, index: int, shape: Sequence[int], name: bytes) -> int:
    """Add a tensor that stores what another stores, in another shape; return its index."""
    tensors = model.subgraphs[0].tensors
    tensor = copy.copy(tensors[index])
    tensor.name, tensor.buffer = name, 0
    tensor.shape, tensor.shapeSignature = np.array(shape, np.int32), None
    tensors.append(tensor)
    return len(tensors) - 1


def _code(model: Any, name: str, version: int) -> int:
    """Return the place of an operator's code; one that is not there is added."""
    from ai_edge_litert import schema_py_generated as schema

    number = getattr(schema.BuiltinOperator, name)
    for place, code in enumerate(model.operatorCodes):
        if code.builtinCode == number and code.version >= version:
            return place
    code = schema.OperatorCodeT()
    # Both fields hold it: old readers know one only, which ends at 127.
    code.builtinCode, code.deprecatedBuiltinCode = number, min(number, 127)
    code.version = version
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1
