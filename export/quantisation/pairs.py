"""Read two pixels as one where a network's first layer takes every second one.

XNNPACK's INT8 kernels take the channels of a pixel in groups, and fill up the last one: of eight on
x86 with AVX-512 VNNI and on Cortex-A72 (the Raspberry Pi 4), of four with the dot product of
Cortex-A76 and A78 (``log2_kr`` in its ``src/configs/gemm-config.c``). A picture has three, so
most of a first layer's products are of fillings. Two pixels side by side, read as one of six
channels, need no work, for they lie so in memory; a kernel three wide that steps by two is then two
wide and steps by one, with zeros where the fourth column would be. Sums of integers stay the same
to the last bit.

With groups of eight a value of the result takes 9 x 8 products before and 6 x 8 afterwards: the
detector takes 3 % less time for it, the mask, emotion and identity networks 1 % (AMD EPYC, one
thread, in turns). With groups of four it is 9 x 4 before and 6 x 8 afterwards, for a third fewer
visits of pixels; that was not timed.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.anatomy.flatbuffer import pack, set_constant, unpack
from benchmarks.anatomy.graph import Graph, Node, read_graph
from export.program.parts import reshape, tensor_like

__all__ = ["read_pairs"]

#: Of the kernel, and how far it steps.
_WIDTH, _STEP = 3, 2
#: Channels of a pixel at most: with more, a pair no longer fits the group of one pixel.
_CHANNELS = 4


def read_pairs(content: bytes, *, where: str) -> bytes:
    """Let first layers read their picture two pixels at a time.

    Taken is an int8 CONV_2D of an input of the network with at most four channels, three wide,
    stepping by two along a row of even length. There SAME pads on the right alone and VALID not at
    all, so that the first column is the first of a pair. Its height, steps and padding from row to
    row are whatever they are.

    Args:
        content: full INT8 TFLite file.
        where: the network's name, for messages.

    Returns:
        The file, the same bytes if there is nothing to do; its outputs are bit for bit the same,
        and every tensor that was there keeps its name.
    """
    graph = read_graph(content, where=where)
    inputs = {index for _, index in graph.inputs}
    first = (node for node in graph.nodes if node.op == "CONV_2D" and node.inputs[0] in inputs)
    taken = {node.index for node in first if _fits(graph, node)}
    if not taken:
        return content
    model = unpack(content, where=where)
    done: list[Any] = []
    for index, operator in enumerate(model.subgraphs[0].operators):
        if index in taken:
            done.append(_widened(model, graph, graph.nodes[index], operator))
        done.append(operator)
    model.subgraphs[0].operators = done
    return pack(model)


def _fits(graph: Graph, node: Node) -> bool:
    """Tell whether a convolution can read pairs, and gains by it."""
    picture, weight = (graph.tensors[i] for i in node.inputs[:2])
    _, _, width, channels = picture.shape
    return (
        weight.data is not None
        and weight.dtype == picture.dtype == "int8"
        and weight.shape[2:] == (_WIDTH, channels)
        and channels <= _CHANNELS
        and len(graph.consumers(weight.index)) == 1
        and node.options["strideW"] == _STEP
        and node.options["dilationWFactor"] == 1
        and width % 2 == 0
    )


def _widened(model: Any, graph: Graph, node: Node, operator: Any) -> Any:
    """Let a convolution read pairs; return the operator that makes them."""
    picture, weight = (graph.tensors[i] for i in node.inputs[:2])
    one, height, width, channels = picture.shape
    assert weight.data is not None, "only constant weights are taken"
    out, rows = weight.shape[:2]
    with_fourth = np.pad(weight.data, ((0, 0), (0, 0), (0, 1), (0, 0)))
    set_constant(model, weight.index, with_fourth.reshape(out, rows, 2, 2 * channels))
    result = model.subgraphs[0].tensors[node.outputs[0]].name
    pairs = tensor_like(
        model, picture.index, [one, height, width // 2, 2 * channels], result + b"_pairs"
    )
    operator.inputs = np.array([pairs, *node.inputs[1:]], np.int32)
    operator.builtinOptions.strideW = 1
    return reshape(model, picture.index, pairs)
