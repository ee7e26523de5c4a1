"""Audit a TFLite file: an operator's precision is read from the types of its tensors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from benchmarks.anatomy.graph import Graph, Node, Tensor, read_graph
from export.inspection.audit.findings import Audit, Operator

__all__ = ["QUANTISED", "audit"]

#: Operators that change no value: what they move stays what it was.
_MOVES = frozenset(
    "BATCH_TO_SPACE_ND BROADCAST_TO CONCATENATION DEPTH_TO_SPACE DYNAMIC_UPDATE_SLICE EXPAND_DIMS "
    "GATHER GATHER_ND MIRROR_PAD PACK PAD PADV2 RESHAPE RESIZE_NEAREST_NEIGHBOR REVERSE_V2 SLICE "
    "SPACE_TO_BATCH_ND SPACE_TO_DEPTH SPLIT SPLIT_V SQUEEZE STRIDED_SLICE TILE TRANSPOSE "
    "UNPACK".split()
)
_CONVERTS = frozenset(["CAST", "DEQUANTIZE", "QUANTIZE"])
_UNPACKS = frozenset(["DENSIFY", "DEQUANTIZE"])
_COUNTS = frozenset(["RANK", "SHAPE"])
_LEFTOVERS = _CONVERTS | {"TRANSPOSE"}
#: Operators that ai-edge-quantizer 0.10.0 has an int8 rule for (``static_wi8_ai8`` in its
#: ``default_policy.py``, with TFLite's own names); a test holds the list against the package.
QUANTISED = frozenset(
    "ADD AVERAGE_POOL_2D BATCH_MATMUL BROADCAST_TO CONCATENATION CONV_2D DEPTHWISE_CONV_2D DIV "
    "DYNAMIC_UPDATE_SLICE EQUAL FULLY_CONNECTED GATHER GATHER_ND GELU HARD_SWISH LOGISTIC MAXIMUM "
    "MAX_POOL_2D MEAN MIRROR_PAD MUL NOT_EQUAL PACK PAD PADV2 REDUCE_MIN RELU RESHAPE "
    "RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR RSQRT SELECT SELECT_V2 SLICE SOFTMAX SPACE_TO_DEPTH "
    "SPLIT SQRT SQUARED_DIFFERENCE STABLEHLO_COMPOSITE STRIDED_SLICE SUB SUM TANH TRANSPOSE "
    "TRANSPOSE_CONV UNPACK".split()
)
#: What shapes, indices and comparisons are kept in.
_INDICES = frozenset(["bool", "int32", "int64", "uint32"])
_SMALL = frozenset(["int4", "int8"])


def audit(content: bytes, where: str, *, keep_float: frozenset[str] = frozenset()) -> Audit:
    """Read what a TFLite file computes in; nothing is run.

    Args:
        content: the file.
        where: its name, for messages.
        keep_float: output tensors of the nodes that were left in float on purpose.

    Raises:
        DataError: it is no TFLite file, or is damaged.
    """
    graph = read_graph(content, where=where)
    reader = _Reader(graph)
    found = Audit(
        where=where,
        format="tflite",
        inputs=tuple(graph.tensors[i].dtype for _, i in graph.inputs),
        outputs=tuple(graph.tensors[i].dtype for _, i in graph.outputs),
        operators=tuple(reader.operator(node) for node in graph.nodes),
    )
    reasons = {o.index: reader.reason(o, keep_float) for o in found.exceptions}
    return replace(
        found,
        operators=tuple(replace(o, reason=reasons.get(o.index, "")) for o in found.operators),
        islands=_islands(graph, found.operators) if found.integer else 0,
    )


class _Reader:
    """Tell role, precision and reason of each node of one graph."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._inputs = {index for _, index in graph.inputs}
        self._outputs = {index for _, index in graph.outputs}
        #: not constant: what goes in and what operators make
        self._flowing = self._inputs | {index for node in graph.nodes for index in node.outputs}
        #: unpacked tensor -> the constant that it was stored as
        self._unpacked = {
            node.outputs[0]: node.inputs[0]
            for node in graph.nodes
            if node.op in _UNPACKS
            and node.inputs
            and node.outputs
            and node.inputs[0] not in self._flowing
        }

    def operator(self, node: Node) -> Operator:
        """Return what is found of a node."""
        role = self._role(node)
        changes = role in ("converts", "unpacks")
        precision = self._change(node) if changes else self._precision(node)
        return Operator(
            index=node.index,
            op=node.op,
            name=self._graph.tensors[node.outputs[0]].name if node.outputs else "",
            role=role,
            precision="integer" if role == "counts" else precision,
            leftover=node.custom or (node.op in _LEFTOVERS and role != "unpacks"),
        )

    def _role(self, node: Node) -> str:
        tensors = self._tensors((*node.inputs, *node.outputs))
        if node.op in _COUNTS or all(self._is_index(t) for t in tensors):
            return "counts"
        if node.outputs and node.outputs[0] in self._unpacked:
            return "unpacks"
        if node.op in _CONVERTS and node.inputs and node.outputs:
            return "converts"
        return "moves" if node.op in _MOVES else "computes"

    def _change(self, node: Node) -> str:
        """Name what a conversion makes of what; from steps to other steps it is the dtype."""
        before, after = (self._graph.tensors[i].dtype for i in (node.inputs[0], node.outputs[0]))
        return before if before == after else f"{before} to {after}"

    def _precision(self, node: Node) -> str:
        """Name the arithmetic by the dtypes of activations and of constants."""
        flowing, stored, unpacked = set[str](), set[str](), set[str]()
        for tensor in self._tensors((*node.inputs, *node.outputs)):
            if tensor.index in self._unpacked:
                unpacked.add(self._graph.tensors[self._unpacked[tensor.index]].dtype)
            elif not self._is_index(tensor):
                (flowing if tensor.index in self._flowing else stored).add(tensor.dtype)
        if flowing == {"float32"}:
            return _float_precision(stored, unpacked)
        if len(flowing) != 1:
            return "other"
        kind = flowing.pop()
        if kind in ("int8", "int16", "uint8") and "int4" in stored:
            return f"{kind} with int4 weights"
        return kind

    def reason(self, operator: Operator, keep_float: frozenset[str]) -> str:
        """Say why an operator is not in integers in a file where others are."""
        node = self._graph.nodes[operator.index]
        if any(tensor.name in keep_float for tensor in self._tensors(node.outputs)):
            return "kept float on purpose"
        if node.custom:
            return "a custom operator, which no plain runtime has"
        if operator.precision == "dynamic":
            return "weights are int8, activations are quantised while it runs"
        if not operator.precision.startswith("float"):
            return "another width of integers than most of the file"
        if node.op not in QUANTISED:
            return "the quantiser has no int8 rule for it"
        if self._inputs.intersection(node.inputs):
            return "reads the float input"
        if self._outputs.intersection(node.outputs):
            return "makes the float output"
        return "left in float, though the quantiser has an int8 rule for it"

    def _tensors(self, indices: Iterable[int]) -> list[Tensor]:
        return [self._graph.tensors[i] for i in indices if i >= 0]

    def _is_index(self, tensor: Tensor) -> bool:
        return tensor.dtype in _INDICES and tensor.quantisation is None


def _float_precision(stored: set[str], unpacked: set[str]) -> str:
    """Name float arithmetic by how its constants are stored."""
    if stored & _SMALL:
        return "dynamic"
    if unpacked & _SMALL:
        return "int8 weights"
    return "float16 weights" if "float16" in stored | unpacked else "float32"


def _islands(graph: Graph, operators: tuple[Operator, ...]) -> int:
    """Count groups of float operators that hand float values to one another."""
    group = {
        o.index: o.index
        for o in operators
        if o.role in ("computes", "moves") and o.precision.startswith("float")
    }

    def head(index: int) -> int:
        while group[index] != index:
            index = group[index]
        return index

    maker = {tensor: node.index for node in graph.nodes for tensor in node.outputs}
    for node in graph.nodes:
        for tensor in node.inputs:
            if node.index in group and maker.get(tensor, -1) in group:
                group[head(node.index)] = head(maker[tensor])
    return len({head(index) for index in group})
