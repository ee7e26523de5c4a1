"""Settle a network's ranges before it is quantised, so that integers hold what they must."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.anatomy.graph import Graph, Node
from export.calibration.observers import Span

__all__ = [
    "CHANNEL_AXIS",
    "FIXED",
    "LEAST",
    "MOVES",
    "Settled",
    "Steps",
    "operands",
    "places",
    "settle",
    "steps_of",
]

#: Scale and zero point of an int8 tensor.
Steps = tuple[float, int]

#: Operators whose kernel asks for one scale and zero point of its result.
FIXED: Mapping[str, Steps] = {
    "LOGISTIC": (1 / 256, -128),
    "SOFTMAX": (1 / 256, -128),
    "TANH": (1 / 128, 0),
    "L2_NORMALIZATION": (1 / 128, 0),
    "LOG_SOFTMAX": (16 / 256, 127),
}
#: Operators that only move values or choose among them: a result has its input's scale.
MOVES = frozenset(
    "AVERAGE_POOL_2D BATCH_TO_SPACE_ND BROADCAST_TO DEPTH_TO_SPACE EXPAND_DIMS GATHER GATHER_ND "
    "MAX_POOL_2D MIRROR_PAD PAD REDUCE_MAX REDUCE_MIN RESHAPE RESIZE_BILINEAR "
    "RESIZE_NEAREST_NEIGHBOR REVERSE_V2 SLICE SPACE_TO_BATCH_ND SPACE_TO_DEPTH SPLIT SPLIT_V "
    "SQUEEZE STRIDED_SLICE TILE TRANSPOSE UNPACK".split()
)
#: Where the channels of the results lie in the weights.
CHANNEL_AXIS: Mapping[str, int] = {
    "CONV_2D": 0,
    "DEPTHWISE_CONV_2D": 3,
    "FULLY_CONNECTED": 0,
    "TRANSPOSE_CONV": 0,
}
#: A stored bias stays below this, which leaves half of the int32 sum to the products.
_MAX_BIAS = 2**30
#: The quantiser takes no range and no greatest weight to be smaller.
LEAST = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Settled:
    """What the quantiser is told.

    Attributes:
        spans: range of every float tensor that is no constant, by name.
        weights: for weights whose own range is too small, by name: float32, one positive bound a
            channel in the weights' rank.
    """

    spans: dict[str, Span]
    weights: dict[str, NDArray[np.float32]]


def settle(graph: Graph, spans: Mapping[str, Span]) -> Settled:
    """Give each tensor the range that its integers will have.

    - Results of FIXED operators have the range that the kernel asks for, those of MOVES the range
      of what goes in.
    - Weights of a channel get steps so wide that the bias still fits into its int32. A channel
      that training left with no weights and some bias, which pruning and vanishing batch
      normalisation do, would else lose the bias without a word, and the network with it.
    - The result of a convolution that is dead gets steps as wide as those of its sum: XNNPACK
      refuses the network otherwise.

    Args:
        graph: of the float network.
        spans: what calibration saw, by the tensors' names.
    """
    settled = Settled(dict(spans), {})
    for node in graph.nodes:
        names = [graph.tensors[o].name for o in node.outputs if graph.tensors[o].name in spans]
        if node.op in FIXED:
            for name in names:
                settled.spans[name] = _span_of(FIXED[node.op])
        elif node.op in MOVES:
            source = next((n for n in _inputs(graph, node) if n in settled.spans), None)
            for name in names if source else ():
                settled.spans[name] = settled.spans[str(source)]
        elif node.op in CHANNEL_AXIS:
            _make_room(graph, node, settled)
    return settled


def operands(node: Node) -> tuple[int, int, int]:
    """Return the tensor indices of input, weights and bias (-1 without one) of a convolution."""
    inputs = (*node.inputs, -1, -1)
    source, weight, bias = places(node.op)
    return inputs[source], inputs[weight], inputs[bias]


def places(op: str) -> tuple[int, int, int]:
    """Return where input, weights and bias of a convolution stand among its operands."""
    return (2, 1, 3) if op == "TRANSPOSE_CONV" else (0, 1, 2)


def steps_of(span: Span) -> Steps:
    """Return scale and zero point of a range that is made to hold zero, as the quantiser does."""
    least = np.minimum(np.float32(span[0]), np.float32(0))
    greatest = np.maximum(np.float32(span[1]), np.float32(0))
    scale = np.maximum(greatest - least, np.float32(LEAST)) / np.float32(255)
    return float(scale), int(np.rint(np.float32(-128) - least / scale))


def _span_of(steps: Steps) -> Span:
    scale, zero = steps
    return (-128 - zero) * scale, (127 - zero) * scale


def _inputs(graph: Graph, node: Node) -> list[str]:
    return [graph.tensors[i].name for i in node.inputs if i >= 0]


def _make_room(graph: Graph, node: Node, settled: Settled) -> None:
    source, weight, bias = (graph.tensors[i] if i >= 0 else None for i in operands(node))
    result = graph.tensors[node.outputs[0]].name
    if source is None or weight is None or weight.data is None or source.name not in settled.spans:
        return
    axis = CHANNEL_AXIS[node.op]
    others = tuple(i for i in range(len(weight.shape)) if i != axis)
    own = np.abs(weight.data).max(axis=others, keepdims=True).astype(np.float32)
    bounds = np.maximum(settled.weights.get(weight.name, own), np.float32(LEAST))
    scale, _ = steps_of(settled.spans[source.name])
    if bias is not None and bias.data is not None:
        needed = np.abs(bias.data.astype(np.float64)) / (scale * _MAX_BIAS) * 127
        bounds = np.maximum(bounds, needed.reshape(bounds.shape).astype(np.float32))
    if (bounds > np.maximum(own, np.float32(LEAST))).any():
        settled.weights[weight.name] = bounds
    if result in settled.spans:
        least, greatest = settled.spans[result]
        width = 255 * scale * float(bounds.max()) / 127
        if max(greatest, 0.0) - min(least, 0.0) < width and math.isfinite(width):
            settled.spans[result] = (
                (least, least + width) if least >= 0 else (greatest - width, greatest)
            )
