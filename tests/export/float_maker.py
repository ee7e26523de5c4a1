"""Build small float TFLite files operator by operator; no converter is needed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Maker"]

Array = NDArray[Any]


class Maker:
    """A graph in the making; every method returns the index of the tensor that it made."""

    def __init__(self) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self._schema: Any = schema
        self._tensors: list[Any] = []
        self._buffers: list[Any] = [schema.BufferT()]
        self._codes: dict[str, int] = {}
        self._operators: list[Any] = []
        self._inputs: list[int] = []

    def input(self, *shape: int, name: str = "") -> int:
        index = self._tensor(name or f"in{len(self._inputs)}", shape, "float32", 0)
        self._inputs.append(index)
        return index

    def constant(self, values: Array, name: str = "") -> int:
        buffer = self._schema.BufferT()
        buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
        self._buffers.append(buffer)
        place = len(self._buffers) - 1
        return self._tensor(name or f"const{place}", values.shape, values.dtype.name, place)

    def node(
        self,
        op: str,
        inputs: list[int],
        shape: tuple[int, ...],
        *,
        name: str = "",
        dtype: str = "float32",
        options: str = "",
        **fields: Any,
    ) -> int:
        """Add one operator with one output; ``options`` is the schema's class without the T."""
        operator = self._schema.OperatorT()
        operator.opcodeIndex = self._codes.setdefault(op, len(self._codes))
        operator.inputs = inputs
        operator.outputs = [self._tensor(name or f"{op}_{len(self._operators)}", shape, dtype, 0)]
        if options:
            table = getattr(self._schema, f"{options}T")()
            for key, value in fields.items():
                setattr(table, key, value)
            operator.builtinOptionsType = getattr(self._schema.BuiltinOptions, options)
            operator.builtinOptions = table
        self._operators.append(operator)
        made: int = operator.outputs[0]
        return made

    def conv(
        self, x: int, weight: Array, bias: Array, *, act: str = "NONE", stride: int = 1, **kw: Any
    ) -> int:
        """Weight ``[out, kh, kw, in]``, padding SAME."""
        _, height, width, _ = self.shape(x)
        shape = (1, -(-height // stride), -(-width // stride), weight.shape[0])
        inputs = [x, self.constant(weight), self.constant(bias)]
        return self.node("CONV_2D", inputs, shape, options="Conv2DOptions", strideH=stride,
                         strideW=stride, fusedActivationFunction=self._act(act), **kw)  # fmt: skip

    def depthwise(self, x: int, weight: Array, bias: Array, *, act: str = "NONE", **kw: Any) -> int:
        """Weight ``[1, kh, kw, channels]``, padding SAME, stride 1."""
        inputs = [x, self.constant(weight), self.constant(bias)]
        return self.node("DEPTHWISE_CONV_2D", inputs, self.shape(x), depthMultiplier=1, strideH=1,
                         options="DepthwiseConv2DOptions", strideW=1,
                         fusedActivationFunction=self._act(act), **kw)  # fmt: skip

    def dense(self, x: int, weight: Array, bias: Array, *, act: str = "NONE", **kw: Any) -> int:
        """Weight ``[out, in]``."""
        inputs = [x, self.constant(weight), self.constant(bias)]
        return self.node("FULLY_CONNECTED", inputs, (1, weight.shape[0]),
                         options="FullyConnectedOptions",
                         fusedActivationFunction=self._act(act), **kw)  # fmt: skip

    def add(self, a: int, b: int, *, act: str = "NONE", **kw: Any) -> int:
        return self.node("ADD", [a, b], self.shape(a), options="AddOptions",
                         fusedActivationFunction=self._act(act), **kw)  # fmt: skip

    def concat(self, *parts: int, axis: int = 3) -> int:
        shape = list(self.shape(parts[0]))
        shape[axis] = sum(self.shape(part)[axis] for part in parts)
        return self.node("CONCATENATION", list(parts), tuple(shape), axis=axis,
                         options="ConcatenationOptions")  # fmt: skip

    def shape(self, tensor: int) -> tuple[int, ...]:
        return tuple(self._tensors[tensor].shape)

    def build(self, *outputs: int, signature: bool = True, old: bool = False) -> bytes:
        """Return the file; ``old`` writes operator codes the way of before 2020."""
        from benchmarks.anatomy.flatbuffer import pack

        schema = self._schema
        model, graph = schema.ModelT(), schema.SubGraphT()
        model.version = 3
        graph.tensors, graph.operators = self._tensors, self._operators
        graph.inputs, graph.outputs = self._inputs, list(outputs)
        model.subgraphs, model.buffers = [graph], self._buffers
        model.operatorCodes = [self._code(op, old) for op in self._codes]
        if signature:
            entry = schema.SignatureDefT()
            entry.signatureKey = b"serving_default"
            entry.inputs = self._maps("args", graph.inputs)
            entry.outputs = self._maps("output", graph.outputs)
            model.signatureDefs = [entry]
        return pack(model)

    def _tensor(self, name: str, shape: tuple[int, ...], dtype: str, buffer: int) -> int:
        tensor = self._schema.TensorT()
        tensor.name, tensor.shape, tensor.buffer = name.encode(), list(shape), buffer
        tensor.type = getattr(self._schema.TensorType, dtype.upper())
        self._tensors.append(tensor)
        return len(self._tensors) - 1

    def _code(self, op: str, old: bool) -> Any:
        code = self._schema.OperatorCodeT()
        number = getattr(self._schema.BuiltinOperator, op)
        code.deprecatedBuiltinCode = min(number, 127)
        code.builtinCode = 0 if old else number
        code.version = 1
        return code

    def _act(self, name: str) -> int:
        number: int = getattr(self._schema.ActivationFunctionType, name)
        return number

    def _maps(self, stem: str, indices: list[int]) -> list[Any]:
        maps = []
        for number, index in enumerate(indices):
            entry = self._schema.TensorMapT()
            entry.name, entry.tensorIndex = f"{stem}_{number}".encode(), index
            maps.append(entry)
        return maps
