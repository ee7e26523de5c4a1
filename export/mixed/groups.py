"""Layers that stay in float together: a convolution and what its values alone go through."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from benchmarks.anatomy.graph import Graph, Node, read_graph
from export.quantisation.scales import CHANNEL_AXIS

__all__ = ["expanded", "groups_of"]


def groups_of(content: bytes, *, where: str) -> dict[str, frozenset[str]]:
    """Gather the layers of a float TFLite network that can stay float.

    An activation, a sum with a constant or a pool that alone reads a layer goes with it: in float
    behind an integer layer, or the other way round, it costs two more operators and brings
    nothing. What joins several layers, such as a concatenation, is a group of its own: left in
    integers between float layers it would round them all. A search has a third as much to try in
    networks of convolution, LeakyReLU and batch norm.

    Returns:
        By the result of each group's first layer, in the network's order: the results of all.

    Raises:
        DataError: the file cannot be read.
    """
    graph = read_graph(content, where=where)
    first: dict[str, str] = {}
    groups: dict[str, set[str]] = {}
    for node in graph.nodes:
        made = [graph.tensors[i] for i in node.outputs]
        if not made or any(tensor.dtype != "float32" for tensor in made):
            continue
        leader = first.get(_only_source(graph, node), made[0].name)
        first |= dict.fromkeys((tensor.name for tensor in made), leader)
        groups.setdefault(leader, set()).update(tensor.name for tensor in made)
    return {name: frozenset(members) for name, members in groups.items()}


def expanded(groups: Mapping[str, frozenset[str]], names: Iterable[str]) -> frozenset[str]:
    """Return the layers of the named groups."""
    return frozenset().union(*(groups[name] for name in names))


def _only_source(graph: Graph, node: Node) -> str:
    """Return the tensor that a node without weights of its own reads, alone and nothing else."""
    sources = [i for i in node.inputs if i >= 0 and graph.tensors[i].data is None]
    if node.op in CHANNEL_AXIS or len(sources) != 1 or len(graph.consumers(sources[0])) != 1:
        return ""
    return graph.tensors[sources[0]].name
