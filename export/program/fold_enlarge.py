"""Convolve before enlarging where the result has few channels.

A 3x3 convolution of a picture that was doubled by the nearest neighbour sees every small pixel
several times. All four pixels of a result's 2x2 block see the same 3x3 small pixels, so each is a
3x3 convolution of the small picture, with the weights that fall on one small pixel added up (the
sub-pixel convolution of W. Shi et al., "Real-Time Single Image and Video Super-Resolution", CVPR
2016, arXiv 1609.05158, read backwards). DEPTH_TO_SPACE lays the four side by side. Along one axis,
with weights w0, w1, w2:

    ========= ========== =========== ==========
    result    one before  the same   one behind
    ========= ========== =========== ==========
    first     w0          w1 + w2
    second                w0 + w1     w2
    ========= ========== =========== ==========

Zeros beyond the border agree: the enlarged picture's border is the small one's, doubled.

The products are as many as before, zeros counted. But kernels compute 8 or 16 channels at once
(XNNPACK's ``nr``), so that a last convolution, to one channel or three, leaves most of them idle;
now there are four times the channels on a quarter of the pixels. The map network takes a quarter
less time for it, in INT8 and in float (AMD EPYC, one thread, in turns).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.anatomy.flatbuffer import pack, set_constant, unpack
from benchmarks.anatomy.graph import Graph, Node, read_graph
from export.program.parts import new_operator, tensor_like

__all__ = ["fold_enlarge"]

#: How often a side grows, and of how many pixels a block is.
_FACTOR, _BLOCK = 2, 4
#: Channels of the new convolution at most: what XNNPACK's INT8 kernels compute at once
#: (4x16c4 neondot, 7x16c8 avx512vnni); more would begin a second group for each pixel.
_MOST = 16
#: float64 ``[place in the block, small pixel, weight]``: the table above.
_SEEN = np.array([[[1, 0, 0], [0, 1, 1], [0, 0, 0]], [[0, 0, 0], [1, 1, 0], [0, 0, 1]]], np.float64)


@dataclass(frozen=True, slots=True)
class _Pair:
    """A RESIZE_NEAREST_NEIGHBOR and the one convolution that reads it."""

    enlarge: Node
    convolve: Node


def fold_enlarge(content: bytes, *, where: str) -> bytes:
    """Convolve the small picture where a network enlarges it first, for few channels.

    Taken is RESIZE_NEAREST_NEIGHBOR to twice the sides, read by nothing but one CONV_2D of 3x3,
    stride 1, padding SAME, with at most four results. The convolution keeps its activation, and the
    DEPTH_TO_SPACE behind it the name of its result.

    Args:
        content: float TFLite file.
        where: its name, for messages.

    Returns:
        A file that computes the same but for rounding; the same bytes if there is nothing to do.
    """
    graph = read_graph(content, where=where)
    pairs = [pair for pair in (_pair(graph, node) for node in graph.nodes) if pair is not None]
    if not pairs:
        return content
    model = unpack(content, where=where)
    operators = list(model.subgraphs[0].operators)
    places: dict[int, list[Any]] = {}
    for pair in pairs:
        places[pair.enlarge.index] = []
        places[pair.convolve.index] = _folded(model, graph, pair)
    model.subgraphs[0].operators = [
        made for index, operator in enumerate(operators) for made in places.get(index, [operator])
    ]
    return pack(model)


def _pair(graph: Graph, node: Node) -> _Pair | None:
    """Return what is computed the other way round; None where a node begins nothing of it."""
    if node.op != "RESIZE_NEAREST_NEIGHBOR" or node.options.get("alignCorners"):
        return None
    small, large = (graph.tensors[i].shape for i in (node.inputs[0], node.outputs[0]))
    readers = graph.consumers(node.outputs[0])
    ends = {index for _, index in graph.outputs}
    doubled = (*small[:1], *(_FACTOR * side for side in small[1:3]), *small[3:])
    if len(small) != 4 or large != doubled or len(readers) != 1 or node.outputs[0] in ends:
        return None
    reader = readers[0]
    if reader.op != "CONV_2D" or reader.inputs[0] != node.outputs[0] or not _fits(graph, reader):
        return None
    return _Pair(node, reader)


def _fits(graph: Graph, node: Node) -> bool:
    """Tell whether a convolution is one that can be done on the small picture, and gains by it."""
    constants = [graph.tensors[i] for i in node.inputs[1:] if i >= 0]
    if len(constants) != 2 or any(t.data is None or t.dtype != "float32" for t in constants):
        return False
    weight = constants[0]
    plain = ("strideW", "strideH", "dilationWFactor", "dilationHFactor")
    return (
        weight.shape[1:] == (3, 3, *graph.tensors[node.inputs[0]].shape[3:])
        and weight.shape[0] * _BLOCK <= _MOST
        and node.options["padding"] == "SAME"
        and all(node.options[key] == 1 for key in plain)
    )


def _folded(model: Any, graph: Graph, pair: _Pair) -> list[Any]:
    """Return the convolution of the small picture, and what lays its results side by side."""
    from ai_edge_litert import schema_py_generated as schema

    tensors = model.subgraphs[0].tensors
    convolve = model.subgraphs[0].operators[pair.convolve.index]
    target = int(convolve.outputs[0])
    # The enlarged picture is gone, and its place is free for the blocks.
    blocks = pair.enlarge.outputs[0]
    small, (_, weight, bias) = graph.tensors[pair.enlarge.inputs[0]], pair.convolve.inputs
    weights, biases = _on_small(graph.tensors[weight].real), _for_each(graph.tensors[bias].real)
    inputs = [
        small.index,
        _changed(model, graph, weight, weights, tensors[target].name + b"_weights"),
        _changed(model, graph, bias, biases, tensors[target].name + b"_bias"),
    ]
    tensors[blocks].name = tensors[target].name + b"_blocks"
    tensors[blocks].shape = np.array([*small.shape[:3], biases.size], np.int32)
    tensors[blocks].shapeSignature = None
    convolve.inputs, convolve.outputs = np.array(inputs, np.int32), np.array([blocks], np.int32)
    options = schema.DepthToSpaceOptionsT()
    options.blockSize = _FACTOR
    return [convolve, new_operator(model, "DEPTH_TO_SPACE", [blocks], target, options)]


def _on_small(weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the weights of a block: float32 ``[4 * out, 3, 3, in]`` of ``[out, 3, 3, in]``."""
    spread = np.einsum("ayk,bxl,oklc->aboyxc", _SEEN, _SEEN, weight.astype(np.float64))
    return spread.reshape(-1, *weight.shape[1:]).astype(np.float32)


def _for_each(bias: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the biases of a block: float32 ``[4 * out]``."""
    return np.tile(bias, _BLOCK)


def _changed(model: Any, graph: Graph, index: int, values: NDArray[np.float32], name: bytes) -> int:
    """Give a constant other values; one that others read too stays, and a named twin has them."""
    if len(graph.consumers(index)) > 1:
        index = tensor_like(model, index, values.shape, name)
    set_constant(model, index, values)
    return index
