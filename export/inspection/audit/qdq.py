"""Audit an ONNX file: an operator is in int8 if what it reads comes out of Q/DQ pairs.

That is how TensorRT reads such a file ("Working with Quantized Types", TensorRT developer guide):
a convolution behind DequantizeLinear nodes runs in int8, and what is fused into it is computed with
it: an activation, and the sum of a residual whose other side is quantised.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from benchmarks.anatomy.quiet import quiet
from edge.errors import DataError
from export.inspection.audit.findings import Audit, Operator
from export.inspection.onnx_file import parse_onnx

__all__ = ["audit_onnx"]

_MOVES = frozenset(
    "Concat DepthToSpace Dropout Expand Flatten Gather GatherElements GatherND Identity Pad "
    "Reshape Slice SpaceToDepth Split Squeeze Tile Transpose Unsqueeze".split()
)
_QUANTISES = frozenset(["QuantizeLinear", "DynamicQuantizeLinear"])
_CONVERTS = _QUANTISES | {"Cast", "DequantizeLinear"}
_COUNTS = frozenset(["Constant", "ConstantOfShape", "NonZero", "Range", "Shape", "Size"])
#: Computed together with the operator before them; a Q/DQ pair between would break that apart.
_FUSED = frozenset(["Clip", "Relu"])
_SUMS = frozenset(["Add", "Sum"])
_LINEAR = frozenset(["Conv", "ConvTranspose", "Gemm", "MatMul"])
#: A DequantizeLinear in front of these counts for what comes behind them: they change no value,
#: and ONNX Runtime as well as TensorRT bring it to the other side.
_PASSING = frozenset("Flatten Identity Reshape Squeeze Transpose Unsqueeze".split())
#: Inputs beside the data and the weights: a bias is int32 in the accumulator.
_BIASED = {"Conv": 2, "ConvTranspose": 2, "Gemm": 2}
#: Beginning of the names of operators that are int8 by themselves.
_WHOLE = "QLinear"
_DYNAMIC = frozenset(["ConvInteger", "MatMulInteger"])
_INDICES = frozenset(["bool", "int32", "int64"])
_DOMAINS = ("", "ai.onnx", "com.microsoft")


def audit_onnx(content: bytes, where: str, *, keep_float: frozenset[str] = frozenset()) -> Audit:
    """Read what an ONNX file computes in; nothing is run.

    Args:
        content: the file; one with data outside it is refused.
        where: its name, for messages.
        keep_float: output tensors of the nodes that were left in float on purpose.

    Raises:
        DataError: it is no ONNX file, or is damaged.
        UnavailableError: onnx is not installed.
    """
    graph = _read(content, where)
    reader = _Reader(graph)
    operators = [reader.operator(index, node) for index, node in enumerate(graph.node)]
    found = Audit(
        where=where,
        format="onnx",
        inputs=tuple(reader.dtype(i.name) for i in graph.input if i.name not in reader.constants),
        outputs=tuple(reader.dtype(o.name) for o in graph.output),
        operators=tuple(operators),
    )
    why = {o.index: _reason(o, graph.node[o.index], keep_float) for o in found.exceptions}
    return replace(
        found, operators=tuple(replace(o, reason=why.get(o.index, "")) for o in operators)
    )


def _read(content: bytes, where: str) -> Any:
    """Parse the file and let onnx infer the types; neither runs anything."""
    model = parse_onnx(content, where=where)
    from onnx import shape_inference

    try:
        with quiet():
            return shape_inference.infer_shapes(model).graph
    except Exception as error:
        # The inference is C++ with exceptions of its own.
        raise DataError(
            f"{where}: is no ONNX file, or is damaged: {type(error).__name__}: {error}",
            code="onnx.damaged",
        ) from error


class _Reader:
    """Tell role and precision of each node of one graph."""

    def __init__(self, graph: Any) -> None:
        from onnx import TensorProto

        names = {number: name.lower() for name, number in TensorProto.DataType.items()}
        self._types = {
            value.name: _dtype(names[value.type.tensor_type.elem_type])
            for values in (graph.input, graph.output, graph.value_info)
            for value in values
        }
        self._types |= {t.name: _dtype(names[t.data_type]) for t in graph.initializer}
        self._maker = {name: node for node in graph.node for name in node.output}
        self.constants = {tensor.name for tensor in graph.initializer}
        self.constants |= {
            name for node in graph.node if node.op_type == "Constant" for name in node.output
        }
        #: precision of what each node made, filled in the order of execution
        self._precisions: dict[str, str] = {}

    def dtype(self, name: str) -> str:
        """Return a tensor's type in NumPy's words, empty if the file does not tell."""
        return self._types.get(name, "")

    def operator(self, index: int, node: Any) -> Operator:
        """Return what is found of a node; they are asked for in the order of execution."""
        role = self._role(node)
        precision = "integer" if role == "counts" else self._precision(node)
        self._precisions |= dict.fromkeys(node.output, precision)
        foreign = node.domain not in _DOMAINS
        return Operator(
            index=index,
            op=node.op_type,
            name=node.output[0] if node.output else node.name,
            role=role,
            precision=precision,
            leftover=foreign or node.op_type in ("Transpose", "Cast"),
        )

    def _role(self, node: Any) -> str:
        if node.op_type in _CONVERTS:
            stored = bool(node.input) and self._origin(node.input[0]) in self.constants
            return "unpacks" if stored else "converts"
        types = {self.dtype(n) for n in (*node.input, *node.output) if n}
        if node.op_type in _COUNTS or types <= _INDICES:
            return "counts"
        return "moves" if node.op_type in _MOVES else "computes"

    def _precision(self, node: Any) -> str:
        if node.op_type.startswith(_WHOLE):
            return "int8"
        if node.op_type in _DYNAMIC:
            return "dynamic"
        read = [n for n in node.input[: _BIASED.get(node.op_type)] if n and not self._is_index(n)]
        flowing = [n for n in read if self._origin(n) not in self.constants]
        stored = [n for n in read if n not in flowing]
        if flowing and all(self._is_dequantised(n) for n in flowing):
            # A constant that is not quantised keeps the operator in float.
            if all(self._is_dequantised(n) for n in stored) or not _is_tensor(node):
                return "int8"
        if node.op_type in _FUSED and flowing and self._precisions.get(flowing[0]) == "int8":
            return "int8"
        if node.op_type in _SUMS and all(
            self._is_dequantised(n) or self._is_linear_int8(n) for n in read
        ):
            return "int8"
        if any(self._is_dequantised(n) for n in stored):
            return "int8 weights"
        return next((t for t in map(self.dtype, (*node.output, *read)) if t), "float32")

    def _origin(self, name: str) -> str:
        """Go back over Q/DQ and casts to what a tensor was made from."""
        seen = set()
        while name in self._maker and name not in seen:
            seen.add(name)
            node = self._maker[name]
            if node.op_type not in _CONVERTS or not node.input:
                break
            name = node.input[0]
        return name

    def _is_dequantised(self, name: str) -> bool:
        maker = self._maker.get(name)
        seen = set()
        while maker is not None and maker.op_type in _PASSING and maker.input[0] not in seen:
            seen.add(maker.input[0])
            maker = self._maker.get(maker.input[0])
        if maker is None or maker.op_type != "DequantizeLinear":
            return False
        return self.dtype(maker.input[0]) in ("int8", "uint8", "")

    def _is_linear_int8(self, name: str) -> bool:
        """Tell whether a tensor comes straight out of an int8 sum of products."""
        maker = self._maker.get(name)
        return (
            maker is not None and maker.op_type in _LINEAR and self._precisions.get(name) == "int8"
        )

    def _is_index(self, name: str) -> bool:
        return self.dtype(name) in _INDICES


def _is_tensor(node: Any) -> bool:
    """Tell whether a constant operand takes part in the arithmetic, unlike a bound or a slope."""
    return node.op_type not in ("Clip", "LeakyRelu", "PRelu", "Resize")


def _reason(operator: Operator, node: Any, keep_float: frozenset[str]) -> str:
    """Say why an operator is not in int8 in a file where others are."""
    if keep_float.intersection(node.output):
        return "kept float on purpose"
    if node.domain not in _DOMAINS:
        return "a custom operator, which no plain runtime has"
    if operator.precision == "int8 weights":
        return "its weights are quantised and what flows in is not"
    return "no Q/DQ pair before it"


def _dtype(name: str) -> str:
    """Return NumPy's word for a type of ONNX."""
    return {"float": "float32", "double": "float64", "undefined": ""}.get(name, name)
