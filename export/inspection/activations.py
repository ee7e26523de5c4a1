"""Activations that quantise or delegate badly, and what each costs here.

PReLU, SiLU, hard-swish and their kin have no int8 kernel in XNNPACK, or need several operators and
roundings where a ReLU is part of its convolution for nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.anatomy.graph import Graph, Node
from export.inspection.layers import Layer

__all__ = ["Activation", "bad_activations"]

_SINGLE = {
    "ELU": "ELU",
    "GELU": "GELU",
    "HARD_SWISH": "hard-swish",
    "LEAKY_RELU": "leaky ReLU",
    "PRELU": "PReLU",
}
#: ``x * f(x)``, by the operator that f ends with.
_GATES = {"LOGISTIC": "SiLU", "TANH": "Mish or GELU"}
#: Operators on the way from x to the end of f(x); so many at most.
_WAY = frozenset(
    "ADD DEQUANTIZE DIV EXP LOG LOGISTIC MINIMUM MUL NEG QUANTIZE RELU RELU6 SELECT SUB "
    "TANH".split()
)
_LONGEST = 8


@dataclass(frozen=True, slots=True)
class Activation:
    """One such activation.

    Attributes:
        kind: what people call it.
        name: of its output tensor.
        operators: how many it takes.
        ms: what they take together; None where they were not timed.
        lost_db: SQNR before it less SQNR behind it; None where one of them is unknown.
        outside: how many of its operators the delegate left; None where that is unknown.
    """

    kind: str
    name: str
    operators: int
    ms: float | None
    lost_db: float | None
    outside: int | None

    def to_json(self) -> dict[str, Any]:
        """Return the fields, rounded."""
        table = asdict(self)
        for key in ("ms", "lost_db"):
            table[key] = None if table[key] is None else round(table[key], 4)
        return table


def bad_activations(graph: Graph, found: Sequence[Layer]) -> list[Activation]:
    """Find the activations of a TFLite network that cost more than a ReLU.

    Args:
        graph: of the artefact.
        found: its layers.

    Returns:
        In the order of execution.
    """
    maker = {index: node for node in graph.nodes for index in node.outputs}
    by_index = {layer.index: layer for layer in found}
    result = []
    for node in graph.nodes:
        kind, parts, source = _match(node, maker)
        if kind:
            result.append(_costs(kind, parts, _before(source, maker), by_index))
    return result


def _match(node: Node, maker: Mapping[int, Node]) -> tuple[str, list[Node], int]:
    """Return kind, operators and the tensor that goes in; an empty kind for anything else."""
    if node.op in _SINGLE:
        return _SINGLE[node.op], [node], node.inputs[0]
    if node.op == "SUB":
        # relu(x) - slope * relu(-x), or with the slope's sign taken in: how PReLU is lowered.
        first = maker.get(node.inputs[0])
        if first is not None and first.op == "RELU":
            way = _way(node.inputs[1], first.inputs[0], maker)
            if way:
                return "PReLU", [first, *way, node], first.inputs[0]
    if node.op == "MUL" and len(node.inputs) == 2:
        for x, gate in (node.inputs, node.inputs[::-1]):
            way = _way(gate, x, maker)
            last = maker.get(gate)
            if way and last is not None:
                if last.op in _GATES:
                    return _GATES[last.op], [*way, node], x
                if any(_is_relu6(part) for part in way):
                    return "hard-swish", [*way, node], x
    return "", [], -1


def _way(tensor: int, source: int, maker: Mapping[int, Node]) -> list[Node]:
    """Return the operators from a source to a tensor; none if it is not made of it alone."""
    found: dict[int, Node] = {}
    pending, reached = [tensor], False
    while pending:
        index = pending.pop()
        if index == source:
            reached = True
            continue
        node = maker.get(index)
        if node is None or node.index in found:
            continue
        if node.op not in _WAY or len(found) == _LONGEST:
            return []
        found[node.index] = node
        pending.extend(node.inputs)
    return [found[index] for index in sorted(found)] if reached else []


def _is_relu6(node: Node) -> bool:
    return node.op == "RELU6" or node.options.get("fusedActivationFunction") == "RELU6"


def _before(tensor: int, maker: Mapping[int, Node]) -> Node | None:
    """Return what made a tensor, in whatever steps it is handed on."""
    node = maker.get(tensor)
    while node is not None and node.op in ("QUANTIZE", "DEQUANTIZE"):
        node = maker.get(node.inputs[0])
    return node


def _costs(
    kind: str, parts: Sequence[Node], before: Node | None, found: Mapping[int, Layer]
) -> Activation:
    mine = [found[node.index] for node in parts]
    times = [layer.time.ms for layer in mine if layer.time is not None]
    near = mine[-1].near
    source = found[before.index].near if before and before.index in found else None
    known = all(layer.delegated is not None for layer in mine)
    return Activation(
        kind=kind,
        name=mine[-1].name,
        operators=len(parts),
        ms=sum(times) if len(times) == len(mine) else None,
        lost_db=source.sqnr_db - near.sqnr_db if source and near else None,
        outside=sum(not layer.delegated for layer in mine) if known else None,
    )
