"""Give the channels of a tensor the same range, so that none drowns in the one scale of them all.

M. Nagel, M. van Baalen, T. Blankevoort, M. Welling, "Data-Free Quantization Through Weight
Equalization and Bias Correction", ICCV 2019 (arXiv 1906.04721), section 4.1: ReLU is positively
homogeneous, so a channel may be divided by any factor where it is made and multiplied by it where
it is read. There the weights have one scale and their ranges are made equal; here each channel of
the weights has a scale of its own, and it is the activation between them that has only one. So the
ranges of its channels, seen on real inputs, take the place of the first layer's weights.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.anatomy.flatbuffer import pack, set_constant, unpack
from benchmarks.anatomy.graph import Graph, Node, read_graph
from export.program.canonical import canonical
from export.program.runner import Runner, Sample
from export.quantisation.scales import CHANNEL_AXIS, operands

__all__ = ["equalise"]

_Channels = NDArray[np.float64]

#: Where the channels of what comes in lie in the weights.
_INPUT_AXIS = {"CONV_2D": 3, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 1, "TRANSPOSE_CONV": 3}
#: Operators that treat each channel by itself and may be scaled through.
_THROUGH = frozenset(
    "AVERAGE_POOL_2D MAX_POOL_2D MEAN PAD RELU RELU6 RESHAPE RESIZE_BILINEAR "
    "RESIZE_NEAREST_NEIGHBOR".split()
)
#: A quiet channel is made at most so many times louder: what calibration did not see of it needs
#: room as well.
_MOST = 64.0
#: A channel that comes this near the ceiling of ReLU6 touched it.
_CEILING = 6 * (1 - 1e-5)


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two layers and the tensor between them.

    Attributes:
        first, second: nodes with constant weights of their own.
        tensor: index of the first one's result.
        ceiling: a ReLU6 lies between them.
    """

    first: Node
    second: Node
    tensor: int
    ceiling: bool


def equalise(content: bytes, samples: Iterable[Sample], *, where: str) -> tuple[bytes, list[str]]:
    """Equalise the channels between layers that follow one another.

    Taken are convolutions of every kind and dense layers with nothing but pads, pools, resizes and
    ReLU between them. With ReLU6 only channels that stay under 6 change, and still do afterwards.
    Factors are powers of two, so the float network computes the very same numbers.

    Args:
        content: float TFLite file.
        samples: real inputs; read once.
        where: the network's name, for messages.

    Returns:
        The file, and the names of the results of the layers that changed; ranges must be observed
        anew.

    Raises:
        DataError: a sample does not fit, or the file does not run.
    """
    content = canonical(content, where=where)
    graph = read_graph(content, where=where)
    pairs = _pairs(graph)
    seen = _channel_ranges(content, graph, pairs, samples, where)
    model, changed = unpack(content, where=where), []
    constants = {t.index: t.data for t in graph.tensors if t.data is not None}
    for pair in pairs:
        _, weight, bias = operands(pair.first)
        _, reader, _ = operands(pair.second)
        factors = _factors(pair, seen[pair.tensor], constants[reader])
        if (factors == 1).all():
            continue
        for index, axis, scale in (
            (weight, CHANNEL_AXIS[pair.first.op], 1 / factors),
            (bias, 0, 1 / factors),
            (reader, _INPUT_AXIS[pair.second.op], factors),
        ):
            if index >= 0:
                constants[index] = _scaled(constants[index], axis, scale)
                set_constant(model, index, constants[index])
        changed += [graph.tensors[node.outputs[0]].name for node in (pair.first, pair.second)]
    return (pack(model) if changed else content), list(dict.fromkeys(changed))


def _pairs(graph: Graph) -> list[_Pair]:
    found = (_pair(graph, node) for node in graph.nodes if node.op in CHANNEL_AXIS)
    return [pair for pair in found if pair is not None]


def _pair(graph: Graph, first: Node) -> _Pair | None:
    """Follow a layer's result to the next layer; None where they cannot be scaled together."""
    ends = {index for _, index in graph.outputs}
    channels = graph.tensors[first.outputs[0]].shape[-1:]
    node, ceiling = first, False
    while True:
        act = node.options.get("fusedActivationFunction", "NONE")
        ceiling = ceiling or "RELU6" in (act, node.op)
        index = node.outputs[0]
        readers = graph.consumers(index)
        if (
            act not in ("NONE", "RELU", "RELU6")
            or graph.tensors[index].shape[-1:] != channels
            or index in ends
            or len(readers) != 1
        ):
            return None
        node = readers[0]
        if node.op in CHANNEL_AXIS:
            break
        flat = graph.tensors[node.outputs[0]].shape
        if node.op not in _THROUGH or (node.op == "RESHAPE" and np.prod(flat) != flat[-1]):
            return None
    weight = graph.tensors[operands(node)[1]]
    fits = weight.shape[_INPUT_AXIS[node.op] :][:1] == channels
    if operands(node)[0] != index or not fits:
        return None
    if not (_has_own_weights(graph, first) and _has_own_weights(graph, node)):
        return None
    return _Pair(first, node, first.outputs[0], ceiling)


def _has_own_weights(graph: Graph, node: Node) -> bool:
    constants = [index for index in operands(node)[1:] if index >= 0]
    return all(
        graph.tensors[index].data is not None and len(graph.consumers(index)) == 1
        for index in constants
    )


def _channel_ranges(
    content: bytes, graph: Graph, pairs: list[_Pair], samples: Iterable[Sample], where: str
) -> dict[int, _Channels]:
    """Return the greatest magnitude of each channel of the tensors between the layers."""
    tensors = [graph.tensors[pair.tensor] for pair in pairs]
    seen = {tensor.index: np.zeros(tensor.shape[-1]) for tensor in tensors}
    runner = Runner(content, graph, where)
    for number, sample in enumerate(samples):
        runner.run(sample, number)
        for tensor in tensors:
            values = np.abs(runner.read(tensor)).reshape(-1, tensor.shape[-1])
            np.maximum(seen[tensor.index], values.max(axis=0), out=seen[tensor.index])
    return seen


def _factors(pair: _Pair, seen: _Channels, reader: NDArray[Any]) -> _Channels:
    """Return by what each channel is divided; the greatest range of all stays what it is.

    A depthwise layer has a scale for each channel that it reads, so there all channels get one
    range. Otherwise a channel that becomes louder makes the weights that read it quieter, and the
    square root keeps both in balance (eq. 11 of the paper).
    """
    factors = np.ones_like(seen)
    live = seen > 0
    if pair.second.op != "DEPTHWISE_CONV_2D":
        axis = _INPUT_AXIS[pair.second.op]
        others = tuple(i for i in range(reader.ndim) if i != axis)
        weights = np.abs(reader).max(axis=others).astype(np.float64)
        live &= weights > 0
        factors[live] = np.sqrt(seen[live] / weights[live])
    else:
        factors[live] = seen[live]
    if not live.any():
        return np.ones_like(seen)
    factors[live] *= (seen[live] / factors[live]).max() / seen[live].max()
    factors = 2.0 ** np.ceil(np.log2(np.clip(factors, 1 / _MOST, _MOST)))
    held = ~live | (seen >= _CEILING if pair.ceiling else False)
    return np.where(held, 1.0, factors)


def _scaled(values: NDArray[Any], axis: int, factors: _Channels) -> NDArray[np.float32]:
    sizes = [1] * values.ndim
    sizes[axis] = -1
    return (values * factors.reshape(sizes)).astype(np.float32)
