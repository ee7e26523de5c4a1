"""What a layer costs by its shapes: parameters, multiply-accumulates, bytes, memory.

Multiply-accumulates are those of the plain algorithm, as in Sze et al., "Efficient Processing of
Deep Neural Networks", Proceedings of the IEEE 105 (2017), section III: an output value of a
convolution takes kernel height x kernel width x input channels of its group. Additions,
activations, pools and whatever moves data count as none.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

from benchmarks.anatomy.graph import Graph, Node, Tensor

__all__ = ["Cost", "arena_bytes", "costs", "moved_bytes"]

#: TFLite's planner puts every tensor at a multiple of this (kDefaultTensorAlignment).
_ALIGNMENT = 64
_BYTES = {"float64": 8, "int64": 8, "float32": 4, "int32": 4, "uint32": 4, "float16": 2, "int16": 2}


@dataclass(frozen=True, slots=True)
class Cost:
    """What one layer costs.

    Attributes:
        parameters: constants that are numbers of the network: weights and biases, not shapes.
            One that two layers share counts for both.
        macs: multiply-accumulates.
        weight_bytes: of these constants, as the file stores them.
        activation_bytes: of its outputs.
        live_bytes: of all activations that are needed while it runs, its outputs among them: an
            estimate of the runtime's arena at this moment.
    """

    parameters: int
    macs: int
    weight_bytes: int
    activation_bytes: int
    live_bytes: int

    def to_json(self) -> dict[str, int]:
        """Return the fields."""
        return asdict(self)


def costs(graph: Graph) -> list[Cost]:
    """Return the cost of every node, in the order of execution."""
    maker = {index: node for node in graph.nodes for index in node.outputs}
    live = _live_bytes(graph)
    return [
        _cost(graph, node, _constants(graph, node, maker), live[node.index]) for node in graph.nodes
    ]


def arena_bytes(graph: Graph) -> int:
    """Estimate the memory of all activations: the most that are needed at one moment.

    The runtime cannot do with less; what its planner loses in gaps, what the delegate needs for
    its own packing, and tensors that share memory (RESHAPE) are not in it.
    """
    return max(_live_bytes(graph), default=0)


def moved_bytes(graph: Graph) -> list[int]:
    """Return for every node what it must at least read and write, in the order of execution.

    Each input, weight and output counts once: what stays in a cache meanwhile is not read twice.
    A RESHAPE gives its data another name and moves nothing.
    """
    moved = []
    for node in graph.nodes:
        touched = {i for i in (*node.inputs, *node.outputs) if i >= 0}
        is_name = node.op == "RESHAPE"
        moved.append(0 if is_name else sum(_size(graph.tensors[i]) for i in touched))
    return moved


def _cost(graph: Graph, node: Node, constants: list[Tensor], live: int) -> Cost:
    return Cost(
        parameters=sum(math.prod(t.shape) for t in constants),
        macs=_macs(graph, node),
        weight_bytes=sum(_size(t) for t in constants),
        activation_bytes=sum(_size(graph.tensors[i]) for i in node.outputs if i >= 0),
        live_bytes=live,
    )


def _constants(graph: Graph, node: Node, maker: dict[int, Node]) -> list[Tensor]:
    """Return the node's weights, also those that are stored smaller and unpacked in the graph."""
    if node.op == "DEQUANTIZE":
        return []
    found = []
    for index in node.inputs:
        source = maker.get(index)
        if source is not None and source.op == "DEQUANTIZE" and source.inputs:
            index = source.inputs[0]
        if index >= 0 and (tensor := graph.tensors[index]).data is not None:
            # Plain int32 are sizes, axes and paddings; a bias has a scale.
            if tensor.dtype.startswith("float") or tensor.quantisation is not None:
                found.append(tensor)
    return found


def _macs(graph: Graph, node: Node) -> int:
    """Count multiply-accumulates; 0 for every operator that has none."""
    operands = [graph.tensors[i].shape for i in node.inputs if i >= 0]
    result = graph.tensors[node.outputs[0]].shape if node.outputs else ()
    if node.op == "CONV_2D" and len(operands) > 1:
        # Weights [out, height, width, in of the group].
        return math.prod(result) * math.prod(operands[1][1:])
    if node.op == "DEPTHWISE_CONV_2D" and len(operands) > 1:
        # Weights [1, height, width, out].
        return math.prod(result) * math.prod(operands[1][1:3])
    if node.op == "TRANSPOSE_CONV" and len(operands) > 2:
        # Inputs: size of the result, weights [out, height, width, in], data; every value of the
        # data is multiplied with all that it spreads to.
        return math.prod(operands[2]) * math.prod(operands[1][:3])
    if node.op == "FULLY_CONNECTED" and len(operands) > 1:
        return math.prod(result) * math.prod(operands[1][-1:])
    if node.op == "BATCH_MATMUL" and len(operands) > 1:
        inner = operands[0][-2:-1] if node.options.get("adjX") else operands[0][-1:]
        return math.prod(result) * math.prod(inner)
    return 0


def _live_bytes(graph: Graph) -> list[int]:
    """Return what is alive while each node runs: made before or by it, read by it or later."""
    end = len(graph.nodes)
    first = {index: 0 for _, index in graph.inputs}
    last = {index: end for _, index in graph.outputs}
    for node in graph.nodes:
        for index in node.outputs:
            first.setdefault(index, node.index)
            last.setdefault(index, node.index)
    for node in graph.nodes:
        for index in node.inputs:
            if index in first:
                last[index] = max(last.get(index, 0), node.index)
    change = [0] * (end + 1)
    for index, start in first.items():
        if index >= 0 and graph.tensors[index].data is None:
            aligned = -(-_size(graph.tensors[index]) // _ALIGNMENT) * _ALIGNMENT
            change[start] += aligned
            if last.get(index, start) + 1 <= end:
                change[last.get(index, start) + 1] -= aligned
    live, total = [], 0
    for step in change[:end]:
        total += step
        live.append(total)
    return live


def _size(tensor: Tensor) -> int:
    return math.prod(tensor.shape) * _BYTES.get(tensor.dtype, 1)
