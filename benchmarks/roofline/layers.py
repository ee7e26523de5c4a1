"""Where every layer of a network lies under the roofs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from benchmarks.anatomy.costs import costs, moved_bytes
from benchmarks.anatomy.graph import Graph, Node
from benchmarks.anatomy.times import Span
from benchmarks.anatomy.tracer import tensor_names
from benchmarks.roofline.ceilings import DEPTHWISE, Ceilings

__all__ = ["Kind", "Layer", "by_kind", "place"]

#: Operators that multiply and accumulate, and what they are called here.
_COMPUTING = {
    "CONV_2D": "conv",
    "DEPTHWISE_CONV_2D": "depthwise",
    "TRANSPOSE_CONV": "transposed conv",
    "FULLY_CONNECTED": "fully connected",
    "BATCH_MATMUL": "matrix product",
}
_INTEGERS = frozenset(["int8", "uint8"])


@dataclass(frozen=True, slots=True)
class Layer:
    """One operator under the roofs.

    Attributes:
        index, op, name: position, operator in TFLite's schema, name of its first output.
        kind: what it is, such as ``conv 3x3 /2``.
        shapes: of its first input and output, such as ``56x56x32 to 28x28x64``.
        ceiling: the rate that its multiply-accumulates are held against, such as ``int8`` or
            ``int8 depthwise``; empty without any.
        macs: multiply-accumulates.
        moved_bytes: that it must at least read and write.
        time: measured.
        delegated: whether XNNPACK computes it, and not the runtime's own kernels.
        attainable_ms: time at the rate that dense convolutions attain.
        arithmetic_ms: time at the rate that its own kind attains.
        moving_ms: time to move its bytes.
        source: where its bytes come from: ``cache`` or ``memory``.
    """

    index: int
    op: str
    name: str
    kind: str
    shapes: str
    ceiling: str
    macs: int
    moved_bytes: int
    time: Span
    delegated: bool
    attainable_ms: float
    arithmetic_ms: float
    moving_ms: float
    source: str

    @property
    def intensity(self) -> float:
        """Multiply-accumulates a byte."""
        return self.macs / self.moved_bytes if self.moved_bytes else 0.0

    @property
    def roof_ms(self) -> float:
        """The least time by the roofline."""
        return max(self.arithmetic_ms, self.moving_ms)

    @property
    def bound(self) -> str:
        """What binds it: ``arithmetic``, ``cache`` or ``memory``; empty if it costs nothing."""
        if not self.roof_ms:
            return ""
        return "arithmetic" if self.arithmetic_ms >= self.moving_ms else self.source

    @property
    def share(self) -> float | None:
        """How much of the roof is reached, 1 is all; None if no time was seen."""
        return self.roof_ms / self.time.ms if self.time.ms > 0 else None

    @property
    def gmacs_per_s(self) -> float | None:
        """Rate that was reached; None without multiply-accumulates or time."""
        return self.macs / self.time.ms / 1e6 if self.macs and self.time.ms > 0 else None

    @property
    def left_ms(self) -> float:
        """Time that the roof says could be saved."""
        return self.time.ms - self.roof_ms

    def to_json(self) -> dict[str, object]:
        """Return plain numbers and names."""
        return {
            "index": self.index,
            "op": self.op,
            "name": self.name,
            "kind": self.kind,
            "shapes": self.shapes,
            "ceiling": self.ceiling,
            "macs": self.macs,
            "bytes": self.moved_bytes,
            **self.time.to_json(),
            "gmacs_per_s": _rounded(self.gmacs_per_s),
            "macs_per_byte": round(self.intensity, 3),
            "bound": self.bound,
            "delegated": self.delegated,
            "roof_ms": round(self.roof_ms, 5),
            "share": _rounded(self.share),
        }


@dataclass(frozen=True, slots=True)
class Kind:
    """All layers of one kind together; the fields are sums."""

    kind: str
    layers: int
    macs: int
    ms: float
    attainable_ms: float
    roof_ms: float

    @property
    def share_of_attainable(self) -> float | None:
        """How much of the attainable rate is reached; None without multiply-accumulates."""
        return self.attainable_ms / self.ms if self.macs and self.ms > 0 else None

    @property
    def share_of_roof(self) -> float | None:
        """How much of the roofs is reached; None if no time was seen."""
        return self.roof_ms / self.ms if self.ms > 0 else None

    def to_json(self) -> dict[str, object]:
        """Return sums, and how much of the attainable rate and of the roof they reach."""
        return {
            "kind": self.kind,
            "layers": self.layers,
            "macs": self.macs,
            "ms": round(self.ms, 4),
            "share_of_attainable": _rounded(self.share_of_attainable),
            "share_of_roof": _rounded(self.share_of_roof),
        }


def place(
    graph: Graph, spans: Sequence[Span], ceilings: Ceilings, *, outside: Collection[int] = ()
) -> tuple[Layer, ...]:
    """Lay every operator under the roofs.

    Args:
        graph: of the network.
        spans: of every operator, in the order of execution.
        outside: operators that the delegate left.
        ceilings: of the machine that they were measured on.
    """
    names = tensor_names(graph)
    layers = []
    for node, span, cost, moved in zip(
        graph.nodes, spans, costs(graph), moved_bytes(graph), strict=True
    ):
        precision = _precision(graph, node) if cost.macs else ""
        ceiling = _ceiling(node, precision) if cost.macs else ""
        moving_ms, source = ceilings.moving_ms(moved)
        layers.append(
            Layer(
                index=node.index,
                op=node.op,
                name=names[node.outputs[0]] if node.outputs else "",
                kind=_kind(graph, node),
                shapes=_shapes(graph, node),
                ceiling=ceiling,
                macs=cost.macs,
                moved_bytes=moved,
                time=span,
                delegated=node.index not in outside,
                attainable_ms=ceilings.arithmetic_ms(cost.macs, precision),
                arithmetic_ms=ceilings.arithmetic_ms(cost.macs, ceiling),
                moving_ms=moving_ms,
                source=source,
            )
        )
    return tuple(layers)


def by_kind(layers: Iterable[Layer]) -> tuple[Kind, ...]:
    """Add up layers of one kind, the slowest kind first."""
    groups: dict[str, list[Layer]] = {}
    for layer in layers:
        groups.setdefault(layer.kind, []).append(layer)
    kinds = [
        Kind(
            kind,
            len(group),
            sum(layer.macs for layer in group),
            sum(layer.time.ms for layer in group),
            sum(layer.attainable_ms for layer in group),
            sum(layer.roof_ms for layer in group),
        )
        for kind, group in groups.items()
    ]
    return tuple(sorted(kinds, key=lambda kind: -kind.ms))


def _precision(graph: Graph, node: Node) -> str:
    """Return what the operator multiplies in.

    Weights that are stored smaller than they are used (fp16, int8 beside float activations) are
    multiplied as float32; XNNPACK may do better with the latter, and its share then shows it.
    """
    kinds = {graph.tensors[i].dtype for i in node.inputs if i >= 0} - {"int32", "int64"}
    return "int8" if kinds and kinds <= _INTEGERS else "float32"


def _ceiling(node: Node, precision: str) -> str:
    return f"{precision} {DEPTHWISE}" if node.op == "DEPTHWISE_CONV_2D" else precision


def _kind(graph: Graph, node: Node) -> str:
    name = _COMPUTING.get(node.op)
    if name is None:
        return node.op.lower().replace("_", " ")
    shape = graph.tensors[node.inputs[1]].shape if len(node.inputs) > 1 else ()
    if ("conv" not in name and name != "depthwise") or len(shape) != 4:
        return name
    stride = node.options.get("strideH", 1)
    return f"{name} {shape[1]}x{shape[2]}" + (f" /{stride}" if stride != 1 else "")


def _shapes(graph: Graph, node: Node) -> str:
    data = 2 if node.op == "TRANSPOSE_CONV" else 0
    ends = [node.inputs[data] if len(node.inputs) > data else -1, *node.outputs[:1]]
    known = [graph.tensors[i].shape for i in ends if i >= 0]
    return " to ".join("x".join(map(str, shape[1:] or shape)) for shape in known)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
