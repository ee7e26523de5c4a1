"""Put together what exporters write out node by node and TFLite has as one operator."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from export.importers.onnx.graph import Attribute, Node, OnnxGraph

__all__ = ["fuse"]

#: In front of the name of a constant that is divided by; no name in a file begins so.
_INVERSE = "\0"


def fuse(graph: OnnxGraph) -> OnnxGraph:
    """Replace the last node of each GELU and each hard-swish by one that does all of it.

    The nodes before it stay; those that nothing else reads fall away later.
    """
    pieces = _Pieces(graph)
    nodes = tuple(pieces.gelu(node) or pieces.hard_swish(node) or node for node in graph.nodes)
    return replace(graph, nodes=nodes)


class _Pieces:
    """Look back from a node.

    Args:
        graph: that it stands in.
    """

    def __init__(self, graph: OnnxGraph) -> None:
        self._graph = graph
        self._makers = {name: node for node in graph.nodes for name in node.outputs if name}

    def gelu(self, node: Node) -> Node | None:
        """Return the Gelu that a node ends: ``x * (erf(x / sqrt(2)) + 1) * 0.5``, in any order."""
        for a, b in self._pairs(node, 0.5):
            summands = self._both(self._makers.get(a), "Add")
            erf = self._makers.get(self._rest(summands, 1.0))
            if erf and erf.op == "Erf" and self._half_root(erf.inputs[0]) == b:
                return Node("Gelu", node.name, (b,), node.outputs, {})
        return None

    def hard_swish(self, node: Node) -> Node | None:
        """Return the HardSwish that a node ends.

        ``x * HardSigmoid(x)``, or ``x * clip(x + 3, 0, 6) / 6``.
        """
        x = self._hard_sigmoid_product(node) or self._clipped_product(node)
        return Node("HardSwish", node.name, (x,), node.outputs, {}) if x else None

    def _hard_sigmoid_product(self, node: Node) -> str | None:
        factors = self._both(node, "Mul")
        for gate, x in (factors, factors[::-1]) if len(factors) == 2 else ():
            maker = self._makers.get(gate)
            if maker and maker.op == "HardSigmoid" and maker.inputs[0] == x:
                slope, shift = maker.attributes.get("alpha"), maker.attributes.get("beta", 0.5)
                if _close(slope, 1 / 6) and _close(shift, 0.5):
                    return x
        return None

    def _clipped_product(self, node: Node) -> str:
        for a, b in self._pairs(node, 1 / 6):
            clip = self._makers.get(a)
            if clip and clip.op == "Clip" and self._bounds(clip) == (0.0, 6.0):
                shifted = self._both(self._makers.get(clip.inputs[0]), "Add")
                if self._rest(shifted, 3.0) == b:
                    return b
        return ""

    def _pairs(self, node: Node, value: float) -> Iterator[tuple[str, str]]:
        """Yield the two factors, both ways round, of a product of three with this constant."""
        factors = self._factors(node)
        for place, name in enumerate(factors):
            other = factors[1 - place]
            if self._equals(name, value):
                inner = self._factors(self._makers.get(other))
            else:
                rest = self._rest(self._factors(self._makers.get(name)), value)
                inner = [rest, other] if rest else []
            if len(inner) == 2:
                yield inner[0], inner[1]
                yield inner[1], inner[0]

    def _factors(self, node: Node | None) -> list[str]:
        """Return what is multiplied; a division by a constant is one by its inverse."""
        if node and node.op == "Div" and self._scalar(node.inputs[1]):
            return [node.inputs[0], _INVERSE + node.inputs[1]]
        return self._both(node, "Mul")

    def _both(self, node: Node | None, op: str) -> list[str]:
        return list(node.inputs) if node is not None and node.op == op else []

    def _rest(self, names: list[str], value: float) -> str:
        """Return what stands beside the constant of this value; nothing if there is none."""
        if len(names) != 2:
            return ""
        found = [other for name, other in (names, names[::-1]) if self._equals(name, value)]
        return found[0] if found else ""

    def _half_root(self, name: str) -> str:
        """Return what a value is the multiple of, by the root of a half."""
        return self._rest(self._factors(self._makers.get(name)), math.sqrt(0.5))

    def _equals(self, name: str, value: float) -> bool:
        number = self._scalar(name.removeprefix(_INVERSE))
        if not number:
            return False
        return _close(1 / number if name.startswith(_INVERSE) else number, value)

    def _bounds(self, clip: Node) -> tuple[float | None, float | None]:
        if len(clip.inputs) == 3:
            return self._scalar(clip.inputs[1]), self._scalar(clip.inputs[2])
        return _number(clip.attributes.get("min")), _number(clip.attributes.get("max"))

    def _scalar(self, name: str) -> float | None:
        """Return the one number of an initializer or of a Constant node."""
        maker = self._makers.get(name)
        if maker is None or maker.op != "Constant":
            return _number(self._graph.constants.get(name))
        return _number(maker.attributes.get("value", maker.attributes.get("value_float")))


def _number(value: Attribute | None) -> float | None:
    if isinstance(value, np.ndarray):
        return float(value.reshape(-1)[0]) if value.size == 1 else None
    return value if isinstance(value, float) else None


def _close(value: Attribute | None, wanted: float) -> bool:
    return isinstance(value, float) and math.isclose(value, wanted, rel_tol=1e-5)
