"""Fold SPACE_TO_BATCH_ND, convolution, BATCH_TO_SPACE_ND back into the dilated convolution.

TensorFlow writes a dilation so: it deals the pixels out into as many pictures as the dilation has
phases, convolves each, and puts them together again.
"""

from __future__ import annotations

import dataclasses

from benchmarks.anatomy.graph import Graph, Node
from export.onnx_writer.convolution import EXPLICIT_PADS

__all__ = ["fold_dilated"]


def fold_dilated(graph: Graph) -> tuple[Node, ...]:
    """Return the nodes of a graph with every such three as one convolution.

    Three that do not fit together stay as they are.
    """
    readers: dict[int, list[Node]] = {}
    for node in graph.nodes:
        for index in set(node.inputs):
            readers.setdefault(index, []).append(node)
    given_out = {index for _, index in graph.outputs}
    replaced: dict[int, Node | None] = {}
    for spread in graph.nodes:
        if spread.op != "SPACE_TO_BATCH_ND":
            continue
        conv = _only(readers, given_out, spread)
        join = _only(readers, given_out, conv) if conv else None
        folded = _fold(graph, spread, conv, join) if conv and join else None
        if conv and join and folded:
            replaced |= {spread.index: None, conv.index: None, join.index: folded}
    nodes = (replaced.get(node.index, node) for node in graph.nodes)
    return tuple(node for node in nodes if node is not None)


def _only(readers: dict[int, list[Node]], given_out: set[int], node: Node) -> Node | None:
    """Return the one node that reads a node's one output; None if others see it as well."""
    if len(node.outputs) != 1 or node.outputs[0] in given_out:
        return None
    found = readers.get(node.outputs[0], [])
    return found[0] if len(found) == 1 and found[0].inputs[0] == node.outputs[0] else None


def _fold(graph: Graph, spread: Node, conv: Node, join: Node) -> Node | None:
    if conv.op not in ("CONV_2D", "DEPTHWISE_CONV_2D") or join.op != "BATCH_TO_SPACE_ND":
        return None
    options = conv.options
    plain = ("strideH", "strideW", "dilationHFactor", "dilationWFactor")
    block, pads = _constant(graph, spread, 1), _constant(graph, spread, 2)
    weight = graph.tensors[conv.inputs[1]].shape
    fits = (
        all(options.get(key, 1) == 1 for key in plain)
        and len(block) == 2
        and min(block) > 0
        and len(pads) == 4
        and block == _constant(graph, join, 1)
        and len(weight) == 4
    )
    crops = _constant(graph, join, 2)
    if not fits or len(crops) != 4:
        return None
    # Each of the phases was padded by itself, so one of its pixels is a whole block of ours.
    inner = [(size - 1) * (options.get("padding") == "SAME") for size in weight[1:3]]
    before = [pads[2 * i] - crops[2 * i] + block[i] * (inner[i] // 2) for i in (0, 1)]
    behind = [
        pads[2 * i + 1] - crops[2 * i + 1] + block[i] * (inner[i] - inner[i] // 2) for i in (0, 1)
    ]
    if min(before + behind) < 0:
        return None
    return dataclasses.replace(
        conv,
        index=join.index,
        inputs=(spread.inputs[0], *conv.inputs[1:]),
        outputs=join.outputs,
        options={
            **options,
            "dilationHFactor": block[0],
            "dilationWFactor": block[1],
            EXPLICIT_PADS: (*before, *behind),
        },
    )


def _constant(graph: Graph, node: Node, place: int) -> list[int]:
    """Return a constant input, flat; an empty list if there is none."""
    if place >= len(node.inputs) or node.inputs[place] < 0:
        return []
    data = graph.tensors[node.inputs[place]].data
    return [] if data is None else [int(n) for n in data.reshape(-1)]
