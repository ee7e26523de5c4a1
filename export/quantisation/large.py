"""Give integers to layers whose weights ai-edge-quantizer cannot round: those above 32 MiB.

From that size on its 0.10 rounds a constant in chunks of two dimensions with scales that still have
the constant's own four, and NumPy refuses them ("input operand has more dimensions than allowed by
the axis remapping"). So such a layer is left in float there, and gets its integers afterwards, by
the same arithmetic: full INT8 through ``export.quantisation.absorb``, dynamic range here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.anatomy.flatbuffer import pack, set_constant, unpack
from benchmarks.anatomy.graph import Graph, read_graph
from export.quantisation.scales import CHANNEL_AXIS, LEAST, operands

__all__ = ["LARGEST", "large_layers", "quantisation", "rounded", "to_hybrid"]

#: Bytes of a float constant that ai-edge-quantizer 0.10 still rounds in one piece
#: (``uniform_quantize`` in ``algorithms/uniform_quantize/uniform_quantize_tensor.py``).
LARGEST = 32 * 2**20
#: Its chunks are right for the weights of a dense layer.
_IN_CHUNKS = 2
#: Symmetric and narrow, as the kernels ask for: -128 is no weight.
_GREATEST = 127


def large_layers(graph: Graph) -> frozenset[str]:
    """Return the names of the results of layers with larger weights than the quantiser takes."""
    found = set()
    for node in graph.nodes:
        if node.op in CHANNEL_AXIS:
            weight = graph.tensors[operands(node)[1]].data
            if weight is not None and weight.ndim > _IN_CHUNKS and weight.nbytes > LARGEST:
                found.add(graph.tensors[node.outputs[0]].name)
    return frozenset(found)


def rounded(
    weight: NDArray[np.float32], axis: int, bounds: NDArray[np.float32] | None = None
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Round weights to int8 with a scale a channel, as the quantiser does.

    Args:
        weight: float32.
        axis: of the channels of the results.
        bounds: float32, the greatest magnitude to hold of each channel, in the weights' rank; the
            channel's own unless given.

    Returns:
        int8 in the weights' shape, and float32 ``[channels]``.
    """
    if bounds is None:
        others = tuple(i for i in range(weight.ndim) if i != axis)
        bounds = np.abs(weight).max(axis=others, keepdims=True)
    scale = np.asarray(np.maximum(bounds, LEAST) / np.float32(_GREATEST), np.float32)
    stored = np.clip(np.rint(weight / scale), -_GREATEST, _GREATEST).astype(np.int8)
    return stored, scale.ravel()


def quantisation(scale: NDArray[np.float32], axis: int, zero_point: int = 0) -> Any:
    """Return the schema's ``QuantizationParametersT``.

    Args:
        scale: float32, one or one a channel.
        axis: of the channels.
        zero_point: of all of them.
    """
    from ai_edge_litert import schema_py_generated as schema

    raw = schema.QuantizationParametersT()
    raw.scale, raw.zeroPoint = scale.tolist(), [zero_point] * scale.size
    raw.quantizedDimension = axis
    return raw


def to_hybrid(content: bytes, layers: frozenset[str], *, where: str) -> bytes:
    """Store the weights of layers as int8; they compute as in a dynamic-range file.

    Args:
        content: TFLite file.
        layers: names of the results of float layers.
        where: the network's name, for messages.
    """
    from ai_edge_litert import schema_py_generated as schema

    if not layers:
        return content
    graph, model = read_graph(content, where=where), unpack(content, where=where)
    for node in graph.nodes:
        weight = graph.tensors[operands(node)[1]] if node.op in CHANNEL_AXIS else None
        named = graph.tensors[node.outputs[0]].name in layers
        if weight is not None and weight.data is not None and named and weight.dtype == "float32":
            stored, scale = rounded(weight.data, CHANNEL_AXIS[node.op])
            raw = model.subgraphs[0].tensors[weight.index]
            raw.type = schema.TensorType.INT8
            raw.quantization = quantisation(scale, CHANNEL_AXIS[node.op])
            set_constant(model, weight.index, stored)
    return pack(model)
