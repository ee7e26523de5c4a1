"""Which operators the runtime's delegate takes, and in how many pieces.

Every border between pieces costs a copy into the other side's memory and a start of its threads;
what the delegate leaves runs on the runtime's own, slower kernels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.anatomy.graph import Graph, Node, read_graph
from benchmarks.anatomy.tracer import interpreter

__all__ = ["Delegation", "delegation"]

_PIECE = "DELEGATE"


@dataclass(frozen=True, slots=True)
class Delegation:
    """What the delegate did with a network.

    Attributes:
        pieces: number of delegated parts; one is best, none means no delegate.
        piece_of: operator index -> number of its piece, from 0; operators that are left outside
            are not in it.
        outside: operators that the runtime's own kernels compute, in the order of execution.
    """

    pieces: int
    piece_of: Mapping[int, int]
    outside: tuple[Node, ...]

    def to_json(self) -> dict[str, object]:
        """Return plain numbers and names."""
        return {
            "pieces": self.pieces,
            "delegated": len(self.piece_of),
            "outside": [{"operator": n.op, "index": n.index} for n in self.outside],
        }


def delegation(content: bytes, *, where: str) -> Delegation:
    """Open a TFLite file in the device's runtime and see what its delegate took.

    Operators whose results nobody reads belong to neither side.

    Raises:
        DataError: the file cannot be read, or the runtime refuses it.
    """
    graph = read_graph(content, where=where)
    # Private, but the only look at the prepared graph that the Python package has. The list holds
    # the file's operators first, whether a piece replaced them or not, and then the pieces.
    prepared = interpreter(content, where=where)._get_ops_details()
    pieces = [_Piece(row) for row in prepared[len(graph.nodes) :] if row["op_name"] == _PIECE]
    made_by = {tensor: number for number, p in enumerate(pieces) for tensor in p.outputs}
    outside = _outside(graph, made_by, pieces)
    piece_of: dict[int, int] = {}
    for number, piece in enumerate(pieces):
        for node in _behind(graph, piece.outputs, set(piece.inputs)):
            piece_of.setdefault(node.index, number)
    return Delegation(len(pieces), piece_of, tuple(n for n in outside if n.index not in piece_of))


class _Piece:
    """Inputs and outputs of one delegated part, as tensor indices."""

    def __init__(self, row: Mapping[str, Any]) -> None:
        self.inputs = tuple(int(i) for i in row["inputs"])
        self.outputs = tuple(int(i) for i in row["outputs"])


def _outside(graph: Graph, made_by: Mapping[int, int], pieces: list[_Piece]) -> list[Node]:
    """Walk from the outputs to the inputs, over whole pieces, and collect the other operators."""
    maker = {tensor: node for node in graph.nodes for tensor in node.outputs}
    found: set[int] = set()
    seen: set[int] = set()
    pending = [index for _, index in graph.outputs]
    while pending:
        tensor = pending.pop()
        if tensor in seen:
            continue
        seen.add(tensor)
        if tensor in made_by:
            pending.extend(pieces[made_by[tensor]].inputs)
        elif tensor in maker:
            found.add(maker[tensor].index)
            pending.extend(maker[tensor].inputs)
    return [node for node in graph.nodes if node.index in found]


def _behind(graph: Graph, outputs: tuple[int, ...], inputs: set[int]) -> list[Node]:
    """Return the operators between a piece's inputs and its outputs."""
    maker = {tensor: node for node in graph.nodes for tensor in node.outputs}
    found: dict[int, Node] = {}
    pending = list(outputs)
    while pending:
        node = maker.get(pending.pop())
        if node is not None and node.index not in found:
            found[node.index] = node
            pending.extend(i for i in node.inputs if i not in inputs)
    return list(found.values())
