"""Write a TFLite file of one convolution: a network whose arithmetic is known beforehand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.anatomy.flatbuffer import pack

__all__ = ["PRECISIONS", "Convolution", "convolution"]

#: ``int8``: activations, per-channel weights; ``float32``: everything.
PRECISIONS = ("int8", "float32")

#: A grid fine enough for sums of a few thousand products; what the values are costs no time.
_INPUT_SCALE, _WEIGHT_SCALE, _OUTPUT_SCALE = 1 / 128, 1 / 1024, 1 / 16


@dataclass(frozen=True, slots=True)
class Convolution:
    """A square convolution of stride 1 that keeps the size: SAME padding, ReLU.

    Attributes:
        side: height and width in pixels.
        channels: of the input and of the output.
        kernel: height and width.
        depthwise: whether every channel stays by itself.
    """

    side: int
    channels: int
    kernel: int
    depthwise: bool = False

    @property
    def macs(self) -> int:
        """Multiply-accumulates, those with the border among them."""
        summed = 1 if self.depthwise else self.channels
        return (self.side * self.kernel) ** 2 * self.channels * summed

    def __str__(self) -> str:
        return f"{self.kernel}x{self.kernel}, {self.side}x{self.side}x{self.channels}"


def convolution(shape: Convolution, precision: str) -> bytes:
    """Return the file: one input, one output, no signature; the same bytes every time.

    Args:
        shape: of the convolution.
        precision: one of ``PRECISIONS``.
    """
    from ai_edge_litert import schema_py_generated as schema

    kind = "DepthwiseConv2DOptions" if shape.depthwise else "Conv2DOptions"
    options = getattr(schema, f"{kind}T")()
    options.strideH = options.strideW = options.depthMultiplier = 1
    options.dilationHFactor = options.dilationWFactor = 1
    options.fusedActivationFunction = schema.ActivationFunctionType.RELU
    operator = schema.OperatorT()
    operator.inputs, operator.outputs = [0, 1, 2], [3]
    operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
    operator.builtinOptions = options
    code = schema.OperatorCodeT()
    name = "DEPTHWISE_CONV_2D" if shape.depthwise else "CONV_2D"
    code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, name)
    code.version = 3  # the first with a scale a channel, of both

    weights, bias = _constants(shape, precision)
    graph = schema.SubGraphT()
    graph.tensors = _tensors(shape, precision)
    graph.operators = [operator]
    graph.inputs, graph.outputs = [0], [3]
    model = schema.ModelT()
    model.version = 3
    model.operatorCodes = [code]
    model.subgraphs = [graph]
    # By the schema the first buffer is empty; tensors without constants name it.
    model.buffers = [_buffer(None), _buffer(weights), _buffer(bias)]
    return pack(model)


def _constants(shape: Convolution, precision: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return weights and bias."""
    draw = np.random.default_rng(0)
    size = _kernel(shape)
    codes = draw.integers(-127, 128, size, np.int8)
    if precision == "int8":
        return codes, np.zeros(shape.channels, np.int32)
    return codes.astype(np.float32) * np.float32(_WEIGHT_SCALE), np.zeros(
        shape.channels, np.float32
    )


def _kernel(shape: Convolution) -> list[int]:
    """Return [out, height, width, in], depthwise [1, height, width, out]."""
    ends = (1, shape.channels) if shape.depthwise else (shape.channels, shape.channels)
    return [ends[0], shape.kernel, shape.kernel, ends[1]]


def _tensors(shape: Convolution, precision: str) -> list[Any]:
    is_int8 = precision == "int8"
    # The weights' output channels come last in a depthwise convolution.
    axis = 3 if shape.depthwise else 0
    kind, bias_kind = ("INT8", "INT32") if is_int8 else ("FLOAT32", "FLOAT32")
    picture = [1, shape.side, shape.side, shape.channels]
    scales = {
        "input": [_INPUT_SCALE],
        "weights": [_WEIGHT_SCALE] * shape.channels,
        "bias": [_INPUT_SCALE * _WEIGHT_SCALE] * shape.channels,
        "output": [_OUTPUT_SCALE],
    }
    return [
        _tensor(name, sizes, dtype, buffer, scales[name] if is_int8 else None, axis)
        for name, sizes, dtype, buffer in (
            ("input", picture, kind, 0),
            ("weights", _kernel(shape), kind, 1),
            ("bias", [shape.channels], bias_kind, 2),
            ("output", picture, kind, 0),
        )
    ]


def _tensor(
    name: str, shape: list[int], dtype: str, buffer: int, scales: list[float] | None, axis: int
) -> Any:
    from ai_edge_litert import schema_py_generated as schema

    tensor = schema.TensorT()
    tensor.name = name.encode()
    tensor.shape = shape
    tensor.type = getattr(schema.TensorType, dtype)
    tensor.buffer = buffer
    if scales is not None:
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale = scales
        tensor.quantization.zeroPoint = [0] * len(scales)
        tensor.quantization.quantizedDimension = axis if len(shape) == 4 and len(scales) > 1 else 0
    return tensor


def _buffer(values: NDArray[Any] | None) -> Any:
    from ai_edge_litert import schema_py_generated as schema

    buffer = schema.BufferT()
    if values is not None:
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
    return buffer
