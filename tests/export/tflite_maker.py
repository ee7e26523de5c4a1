"""Make small TFLite files by hand, in float or in INT8, with nothing but LiteRT's schema.

A network is a function that calls a ``Maker``. Called with ranges, the same function makes the
quantised file, with the same tensor names, as the export does with libraries that are not
everywhere::

    content = make(small)
    quantised = make(small, ranges_of(content, samples))
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from benchmarks.anatomy.flatbuffer import pack, unpack
from export.inspection.probe import open_probe

__all__ = [
    "Maker",
    "Ref",
    "alter",
    "make",
    "parallel",
    "ranges_of",
    "samples_of",
    "small",
    "tensor",
]

Range = tuple[float, float]
Sample = tuple[NDArray[np.float32], ...]
_FIXED = {"LOGISTIC": (1 / 256, -128), "SOFTMAX": (1 / 256, -128), "TANH": (1 / 128, 0)}
#: Versions of the operators that take int8 (tools/versioning/op_version.cc of TFLite).
_VERSIONS = {"CONV_2D": 3, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 4} | dict.fromkeys(
    "ADD DEQUANTIZE LEAKY_RELU LOGISTIC MEAN MUL RESIZE_NEAREST_NEIGHBOR SOFTMAX TRANSPOSE".split(),
    2,
)
_TYPES = {np.dtype(n): getattr(schema.TensorType, n.upper()) for n in ("int8", "int32", "float32")}
_TYPES |= {
    np.dtype(n): getattr(schema.TensorType, n.upper()) for n in ("float16", "uint8", "int16")
}


@dataclass(frozen=True)
class Ref:
    """A tensor in the making; ``scale`` is 0 for real numbers."""

    index: int
    shape: tuple[int, ...]
    scale: float = 0.0
    zero_point: int = 0


class Maker:
    """A TFLite file in the making.

    Args:
        ranges: of every activation by name, for INT8; None makes the float file.
        keep_float: names of outputs whose operator stays in float, between DEQUANTIZE and
            QUANTIZE; its output keeps the name, as the quantiser has it.
    """

    def __init__(
        self, ranges: Mapping[str, Range] | None = None, keep_float: frozenset[str] = frozenset()
    ) -> None:
        self.model = schema.ModelT()
        self.model.version = 3
        self.model.description = b"made for tests"
        self.model.buffers = [schema.BufferT()]
        self.model.operatorCodes = []
        self.graph = schema.SubGraphT()
        self.graph.tensors, self.graph.operators = [], []
        self.graph.inputs, self.graph.outputs = [], []
        self.model.subgraphs = [self.graph]
        self._ranges, self._keep_float = ranges, keep_float
        #: quantised tensor -> the float one that it was made of
        self._islands: dict[int, Ref] = {}

    def input(self, name: str, shape: Sequence[int]) -> Ref:
        """Add an input; quantised it has scale 1/128 and zero point 0."""
        ref = self._flowing(name, shape, None if self._ranges is None else (1 / 128, 0))
        self.graph.inputs.append(ref.index)
        return ref

    def output(self, *refs: Ref) -> None:
        """Say what comes out, in this order."""
        self.graph.outputs += [ref.index for ref in refs]

    def conv(
        self,
        name: str,
        x: Ref,
        weights: NDArray[Any],
        bias: NDArray[Any],
        *,
        stride: int = 1,
        act: str = "NONE",
    ) -> Ref:
        """Add a SAME convolution; weights ``[out, height, width, in]``."""
        options = schema.Conv2DOptionsT()
        options.strideH = options.strideW = stride
        shape = (1, -(-x.shape[1] // stride), -(-x.shape[2] // stride), len(weights))
        return self._weighted("CONV_2D", name, x, weights, bias, 0, options, shape, act)

    def depthwise(
        self, name: str, x: Ref, weights: NDArray[Any], bias: NDArray[Any], *, act: str = "NONE"
    ) -> Ref:
        """Add a SAME depthwise convolution; weights ``[1, height, width, channels]``."""
        options = schema.DepthwiseConv2DOptionsT()
        options.strideH = options.strideW = options.depthMultiplier = 1
        return self._weighted("DEPTHWISE_CONV_2D", name, x, weights, bias, 3, options, x.shape, act)

    def dense(
        self, name: str, x: Ref, weights: NDArray[Any], bias: NDArray[Any], *, act: str = "NONE"
    ) -> Ref:
        """Add a fully connected layer; weights ``[out, in]``."""
        options = schema.FullyConnectedOptionsT()
        shape = (x.shape[0], len(weights))
        return self._weighted("FULLY_CONNECTED", name, x, weights, bias, 0, options, shape, act)

    def add(self, name: str, a: Ref, b: Ref) -> Ref:
        """Add two tensors of one shape."""
        return self._op("ADD", name, [a, b], a.shape, schema.AddOptionsT())

    def mul(self, name: str, a: Ref, b: Ref) -> Ref:
        """Multiply two tensors of one shape."""
        return self._op("MUL", name, [a, b], a.shape, schema.MulOptionsT())

    def unary(self, op: str, name: str, x: Ref) -> Ref:
        """Add LOGISTIC, SOFTMAX, HARD_SWISH, LEAKY_RELU, RELU or another of one input."""
        options: Any = None
        if op == "SOFTMAX":
            options = schema.SoftmaxOptionsT()
            options.beta = 1.0
        elif op == "LEAKY_RELU":
            options = schema.LeakyReluOptionsT()
            options.alpha = 0.1
        return self._op(op, name, [x], x.shape, options)

    def prelu(self, name: str, x: Ref, slope: NDArray[Any]) -> Ref:
        """Add a PRELU with one slope a channel."""
        return self._op("PRELU", name, [x], x.shape, None, {1: slope.reshape(1, 1, -1)})

    def mean(self, name: str, x: Ref) -> Ref:
        """Average height and width away."""
        return self._op(
            "MEAN", name, [x, self.whole([1, 2])], (1, x.shape[3]), schema.ReducerOptionsT()
        )

    def reshape(self, name: str, x: Ref, shape: Sequence[int]) -> Ref:
        """Reshape; the scale is the input's."""
        return self._op(
            "RESHAPE", name, [x, self.whole(shape)], shape, schema.ReshapeOptionsT(), moves=True
        )

    def transpose(self, name: str, x: Ref, order: Sequence[int]) -> Ref:
        """Transpose; the scale is the input's."""
        shape = [x.shape[axis] for axis in order]
        options = schema.TransposeOptionsT()
        return self._op("TRANSPOSE", name, [x, self.whole(order)], shape, options, moves=True)

    def resize(self, name: str, x: Ref, factor: int) -> Ref:
        """Enlarge by the nearest neighbour; the scale is the input's."""
        size = (factor * x.shape[1], factor * x.shape[2])
        options = schema.ResizeNearestNeighborOptionsT()
        shape = (1, *size, x.shape[3])
        return self._op(
            "RESIZE_NEAREST_NEIGHBOR", name, [x, self.whole(size)], shape, options, moves=True
        )

    def dequantize(self, name: str, x: Ref) -> Ref:
        """Leave the integers."""
        ref = self._flowing(name, x.shape, None)
        self.raw("DEQUANTIZE", [x], [ref], schema.DequantizeOptionsT())
        return ref

    def quantize(self, name: str, x: Ref, steps: tuple[float, int]) -> Ref:
        """Go to the integers, or to other steps."""
        ref = self._flowing(name, x.shape, steps)
        self.raw("QUANTIZE", [x], [ref], schema.QuantizeOptionsT())
        return ref

    def whole(self, numbers: Sequence[int]) -> Ref:
        """Add a constant of whole numbers."""
        return self.constant("", np.array(numbers, np.int32))

    def constant(
        self,
        name: str,
        values: NDArray[Any],
        scale: NDArray[Any] | None = None,
        axis: int = 0,
    ) -> Ref:
        """Add a constant, with its scales if it is quantised."""
        ref = self._tensor(name or f"constant{len(self.graph.tensors)}", values.shape, values.dtype)
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
        self.model.buffers.append(buffer)
        raw = self.graph.tensors[ref.index]
        raw.buffer = len(self.model.buffers) - 1
        if scale is not None:
            raw.quantization = schema.QuantizationParametersT()
            raw.quantization.scale = np.asarray(scale, np.float32)
            raw.quantization.zeroPoint = np.zeros(len(scale), np.int64)
            raw.quantization.quantizedDimension = axis
        return ref

    def raw(
        self, op: str, inputs: Sequence[Ref], outputs: Sequence[Ref], options: Any = None
    ) -> None:
        """Add an operator as it is; one that the schema does not know is custom."""
        code = schema.OperatorCodeT()
        known = hasattr(schema.BuiltinOperator, op)
        code.builtinCode = getattr(schema.BuiltinOperator, op if known else "CUSTOM")
        code.deprecatedBuiltinCode = min(int(code.builtinCode), 127)
        code.version = 1 if self._ranges is None else _VERSIONS.get(op, 1)
        if not known:
            code.customCode = op.encode()
        self.model.operatorCodes.append(code)
        operator = schema.OperatorT()
        operator.opcodeIndex = len(self.model.operatorCodes) - 1
        operator.inputs = np.array([ref.index for ref in inputs], np.int32)
        operator.outputs = np.array([ref.index for ref in outputs], np.int32)
        if options is not None:
            kind = type(options).__name__.removesuffix("T")
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
            operator.builtinOptions = options
        self.graph.operators.append(operator)

    def content(self, *, signature: bool = True) -> bytes:
        """Return the file."""
        if signature:
            entry = schema.SignatureDefT()
            entry.signatureKey = b"serving_default"
            entry.inputs = _named("args", self.graph.inputs)
            entry.outputs = _named("output", self.graph.outputs)
            self.model.signatureDefs = [entry]
        return pack(self.model)

    def _weighted(
        self,
        op: str,
        name: str,
        x: Ref,
        weights: NDArray[Any],
        bias: NDArray[Any],
        axis: int,
        options: Any,
        shape: Sequence[int],
        act: str,
    ) -> Ref:
        if act != "NONE":
            options.fusedActivationFunction = getattr(schema.ActivationFunctionType, act)
        weights, bias = weights.astype(np.float32), bias.astype(np.float32)
        if x.scale == 0 or name in self._keep_float:
            constants = {1: weights, 2: bias}
            return self._op(op, name, [x], shape, options, constants)
        others = tuple(k for k in range(weights.ndim) if k != axis)
        scale = np.maximum(np.abs(weights).max(axis=others), 1e-9) / 127
        spread = scale.reshape([-1 if k == axis else 1 for k in range(weights.ndim)])
        stored = np.rint(weights / spread).astype(np.int8)
        steps = scale * x.scale
        # What does not fit is cut off in silence, as the quantiser did.
        whole = np.rint(bias.astype(np.float64) / steps)
        whole = np.clip(whole, -(2**31) + 1, 2**31 - 1).astype(np.int32)
        w = self.constant(f"{name}/weights", stored, scale, axis)
        b = self.constant(f"{name}/bias", whole, steps)
        return self._op(op, name, [x, w, b], shape, options)

    def _op(
        self,
        op: str,
        name: str,
        inputs: Sequence[Ref],
        shape: Sequence[int],
        options: Any,
        constants: Mapping[int, NDArray[Any]] | None = None,
        *,
        moves: bool = False,
    ) -> Ref:
        """Add an operator with one output, quantised or not, or as an island of float."""
        inputs = list(inputs)
        quantised = inputs[0].scale > 0
        island = quantised and name in self._keep_float
        if island:
            # Two islands side by side are one.
            inputs = [
                self._islands.get(x.index)
                or (self.dequantize(f"{name}/in{i}", x) if x.scale else x)
                for i, x in enumerate(inputs)
            ]
        real = island or not quantised
        for place, values in (constants or {}).items():
            inputs.insert(place, self._small(f"{name}/constant{place}", values, real))
        steps = None
        if quantised:
            steps = (inputs[0].scale, inputs[0].zero_point) if moves else self._steps(op, name)
        out = self._flowing(name, shape, None if island else steps)
        self.raw(op, inputs, [out], options)
        if not island or steps is None:
            return out
        quantised = self.quantize(f"{name}_quantized", out, steps)
        self._islands[quantised.index] = out
        return quantised

    def _small(self, name: str, values: NDArray[Any], real: bool) -> Ref:
        """Add a constant operand, with one scale if it is quantised."""
        if real:
            return self.constant(name, values.astype(np.float32))
        scale = max(float(np.abs(values).max()), 1e-9) / 127
        return self.constant(name, np.rint(values / scale).astype(np.int8), np.array([scale]))

    def _steps(self, op: str, name: str) -> tuple[float, int]:
        if op in _FIXED:
            return _FIXED[op]
        assert self._ranges is not None
        low, high = self._ranges[name]
        low, high = min(low, 0.0), max(high, 0.0)
        scale = max(high - low, 1e-9) / 255
        return scale, int(np.clip(round(-128 - low / scale), -128, 127))

    def _flowing(self, name: str, shape: Sequence[int], steps: tuple[float, int] | None) -> Ref:
        ref = self._tensor(name, shape, np.dtype(np.float32 if steps is None else np.int8))
        if steps is None:
            return ref
        raw = self.graph.tensors[ref.index]
        raw.quantization = schema.QuantizationParametersT()
        raw.quantization.scale = np.array([steps[0]], np.float32)
        raw.quantization.zeroPoint = np.array([steps[1]], np.int64)
        return Ref(ref.index, ref.shape, steps[0], steps[1])

    def _tensor(self, name: str, shape: Sequence[int], dtype: np.dtype[Any]) -> Ref:
        raw = schema.TensorT()
        raw.name = name.encode()
        raw.shape = np.array(shape, np.int32)
        raw.type = _TYPES[dtype]
        raw.buffer = 0
        self.graph.tensors.append(raw)
        return Ref(len(self.graph.tensors) - 1, tuple(shape))


Network = Callable[[Maker], None]


def make(
    network: Network,
    ranges: Mapping[str, Range] | None = None,
    *,
    keep_float: frozenset[str] = frozenset(),
    signature: bool = True,
) -> bytes:
    """Make the file of a network: float, or INT8 if it is told the ranges."""
    maker = Maker(ranges, keep_float)
    network(maker)
    return maker.content(signature=signature)


def ranges_of(content: bytes, samples: Sequence[Sample]) -> dict[str, Range]:
    """Return the range of every activation of a float file over samples."""
    probe = open_probe(content, where="for tests")
    found: dict[str, Range] = {}
    for sample in samples:
        for name, values in probe.run(sample).items():
            low, high = found.get(name, (np.inf, -np.inf))
            found[name] = (min(low, float(values.min())), max(high, float(values.max())))
    return found


def samples_of(shape: Sequence[int], count: int = 8, *, seed: int = 0) -> list[Sample]:
    """Return inputs that differ in brightness as well, within what the quantised input takes."""
    rng = np.random.default_rng(seed)
    return [
        (np.clip(rng.normal(rng.uniform(-0.5, 0.5), 0.3, shape), -1, 0.99).astype(np.float32),)
        for _ in range(count)
    ]


def small(m: Maker) -> None:
    """A little of everything: stem, depthwise, linear, sum, mean, logits, probabilities."""
    rng = np.random.default_rng(1)
    x = m.input("x", (1, 16, 16, 3))
    stem = m.conv(
        "stem", x, rng.normal(0, 0.4, (8, 3, 3, 3)), rng.normal(0, 0.2, 8), stride=2, act="RELU6"
    )
    wide = m.depthwise(
        "wide", stem, rng.normal(0, 0.5, (1, 3, 3, 8)), rng.normal(0, 0.2, 8), act="RELU6"
    )
    line = m.conv("line", wide, rng.normal(0, 0.4, (8, 1, 1, 8)), rng.normal(0, 0.2, 8))
    total = m.add("total", line, stem)
    pooled = m.mean("pooled", total)
    logits = m.dense("logits", pooled, rng.normal(0, 0.6, (4, 8)), rng.normal(0, 0.2, 4))
    m.output(m.unary("SOFTMAX", "probs", logits))


def parallel(m: Maker) -> None:
    """Two outputs of one shape that say different things."""
    rng = np.random.default_rng(2)
    x = m.input("x", (1, 8, 8, 3))
    stem = m.conv("stem", x, rng.normal(0, 0.4, (8, 3, 3, 3)), rng.normal(0, 0.2, 8), act="RELU")
    one = m.conv("one", stem, rng.normal(0, 0.4, (4, 1, 1, 8)), rng.normal(0, 0.2, 4))
    two = m.conv("two", stem, rng.normal(0, 0.4, (4, 1, 1, 8)), rng.normal(0, 0.2, 4))
    m.output(one, two)


def alter(content: bytes, change: Callable[[Any], None]) -> bytes:
    """Return a file whose ``ModelT`` was changed."""
    model = unpack(content, where="for tests")
    change(model)
    return pack(model)


def tensor(model: Any, name: str) -> Any:
    """Return the ``TensorT`` of a name."""
    return next(t for t in model.subgraphs[0].tensors if t.name == name.encode())


def _named(stem: str, indices: Sequence[int]) -> list[Any]:
    maps = []
    for number, index in enumerate(indices):
        entry = schema.TensorMapT()
        entry.name, entry.tensorIndex = f"{stem}_{number}".encode(), index
        maps.append(entry)
    return maps
