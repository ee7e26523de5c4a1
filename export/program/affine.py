"""Fold what a batch norm behind an activation does to each channel into the layer before it.

A converter folds a batch norm into a convolution that stands directly before it. Where an
activation stands between (convolution, LeakyReLU, batch norm: the older U-Nets) it is left as up to
four operators, each of which rounds once more in INT8, on channels that are not yet of one size.

Activations of the ReLU kind, pools and zero padding are positively homogeneous: ``f(a x)`` is
``a f(x)`` for ``a > 0``, as cross-layer equalisation has it (Nagel et al., ICCV 2019, arXiv
1906.04721). So the factors go back into the convolution's weights, and what is left is their signs,
where one is negative, and one addition: that could go on into the next layer only where the layer
does not pad.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.anatomy.flatbuffer import pack, set_constant, unpack
from benchmarks.anatomy.graph import Graph, Node, read_graph
from export.quantisation.scales import CHANNEL_AXIS, places

__all__ = ["fold_affine"]

_Channels = NDArray[np.float64]

_ARITHMETIC = ("ADD", "SUB", "MUL", "DIV")
#: Treat each channel by itself, and a positive factor goes through them.
_HOMOGENEOUS = frozenset("AVERAGE_POOL_2D LEAKY_RELU MAX_POOL_2D PAD PRELU RELU".split())


@dataclass(frozen=True, slots=True)
class _Chain:
    """Operators that follow one another and together compute ``a x + b`` for each channel.

    Attributes:
        nodes: in their order.
        source: index of ``x``.
        a, b: float64 ``[channels]``.
    """

    nodes: tuple[Node, ...]
    source: int
    a: _Channels
    b: _Channels


def fold_affine(content: bytes, *, where: str) -> bytes:
    """Fold factors and sums of channels into the layers before them.

    Args:
        content: float TFLite file.
        where: its name, for messages.

    Returns:
        A file that computes the same but for rounding; the same bytes if there is nothing to do.
    """
    graph = read_graph(content, where=where)
    chains = [chain for chain in _chains(graph) if not _is_least(graph, chain)]
    if not chains:
        return content
    model = unpack(content, where=where)
    scaled: set[int] = set()
    made: dict[int, list[Any]] = {}
    for chain in chains:
        layer = _layer(graph, chain.source)
        if layer is not None and layer.index not in scaled and chain.a.all():
            _scale(model, graph, layer, np.abs(chain.a))
            scaled.add(layer.index)
            chain = replace(chain, a=np.sign(chain.a))
        made |= {node.index: [] for node in chain.nodes}
        made[chain.nodes[-1].index] = _shortest(model, graph, chain)
    operators = enumerate(model.subgraphs[0].operators)
    model.subgraphs[0].operators = [
        new for index, operator in operators for new in made.get(index, [operator])
    ]
    return pack(model)


def _chains(graph: Graph) -> list[_Chain]:
    """Return the longest chains, each node in one of them at most."""
    found, taken = [], set()
    for node in graph.nodes:
        nodes: list[Node] = []
        here: Node | None = node
        while here is not None and here.index not in taken and _affine(graph, here) is not None:
            nodes.append(here)
            taken.add(here.index)
            here = _only_reader(graph, here.outputs[0])
        if nodes:
            first = _affine(graph, nodes[0])
            assert first is not None, "the first of a chain is one of it"
            a, b = first.a, first.b
            for later in nodes[1:]:
                step = _affine(graph, later)
                assert step is not None, "each of a chain is one of it"
                a, b = step.a * a, step.a * b + step.b
            found.append(_Chain(tuple(nodes), first.source, a, b))
    return found


def _affine(graph: Graph, node: Node) -> _Chain | None:
    """Return what one operator does, if that is one factor or one sum for each channel."""
    if node.op not in _ARITHMETIC or node.options.get("fusedActivationFunction") != "NONE":
        return None
    result = graph.tensors[node.outputs[0]]
    values = [graph.tensors[i].data for i in node.inputs]
    place = next((i for i in (1, 0) if values[i] is not None), None)
    if place is None or result.dtype != "float32" or (place == 0 and node.op in ("SUB", "DIV")):
        return None
    constant, source = values[place], node.inputs[1 - place]
    channels = result.shape[-1] if result.shape else 0
    assert constant is not None, "that is how its place was found"
    if graph.tensors[source].shape != result.shape or constant.size not in (1, channels):
        return None
    if constant.size > 1 and constant.shape[-1] != channels:
        return None
    each: _Channels = np.broadcast_to(constant.astype(np.float64).ravel(), (channels,))
    if not np.isfinite(each).all() or (node.op == "DIV" and not each.all()):
        return None
    none, one = np.zeros(channels), np.ones(channels)
    a = {"MUL": each, "DIV": 1 / each if node.op == "DIV" else one}.get(node.op, one)
    b = {"ADD": each, "SUB": -each}.get(node.op, none)
    return _Chain((node,), source, a, b)


def _only_reader(graph: Graph, tensor: int) -> Node | None:
    readers = graph.consumers(tensor)
    if len(readers) != 1 or any(tensor == index for _, index in graph.outputs):
        return None
    return readers[0]


def _layer(graph: Graph, tensor: int) -> Node | None:
    """Go back from a tensor to the layer whose weights can take a factor for each channel."""
    channels = graph.tensors[tensor].shape[-1:]
    while True:
        node = graph.producer(tensor)
        if node is None or _only_reader(graph, tensor) is None:
            return None
        if graph.tensors[tensor].shape[-1:] != channels:
            return None
        if node.op in CHANNEL_AXIS:
            break
        if node.op not in _HOMOGENEOUS:
            return None
        if node.options.get("fusedActivationFunction", "NONE") not in ("NONE", "RELU"):
            return None
        tensor = node.inputs[0]
    fused = node.options.get("fusedActivationFunction", "NONE")
    constant = [graph.tensors[node.inputs[place]] for place in _constants(node)]
    fits = all(tensor.data is not None and tensor.dtype == "float32" for tensor in constant)
    return node if fits and fused in ("NONE", "RELU") else None


def _constants(layer: Node) -> list[int]:
    """Return where weights and bias stand among a layer's operands."""
    _, weight, bias = places(layer.op)
    given = bias < len(layer.inputs) and layer.inputs[bias] >= 0
    return [weight, bias] if given else [weight]


def _scale(model: Any, graph: Graph, layer: Node, factors: _Channels) -> None:
    """Scale the channels of a layer's results; a constant that others read too is copied."""
    operator = model.subgraphs[0].operators[layer.index]
    for place in _constants(layer):
        tensor = graph.tensors[layer.inputs[place]]
        sizes = [1] * len(tensor.shape)
        sizes[CHANNEL_AXIS[layer.op] if place == 1 else 0] = -1
        values = (tensor.real * factors.reshape(sizes)).astype(np.float32)
        if len(graph.consumers(tensor.index)) == 1:
            set_constant(model, tensor.index, values)
        else:
            stem = graph.tensors[layer.outputs[0]].name
            operator.inputs = list(operator.inputs)
            operator.inputs[place] = _constant(model, f"{stem}/scaled{place}", values)


def _is_least(graph: Graph, chain: _Chain) -> bool:
    """Say whether a chain is short already, and has no factors that a layer could take in."""
    operators = [node.op for node in chain.nodes]
    if operators in (["ADD"], ["SUB"]):
        return True
    fixed = not chain.a.all() or (np.abs(chain.a) == 1).all() or not _layer(graph, chain.source)
    return fixed and operators in (["MUL"], ["DIV"], ["MUL", "ADD"], ["MUL", "SUB"])


def _shortest(model: Any, graph: Graph, chain: _Chain) -> list[Any]:
    """Return at most one product and one sum that compute what a chain does."""
    wanted = [("MUL", chain.a)] if (chain.a != 1).any() else []
    wanted += [("ADD", chain.b)] if chain.b.any() or not wanted else []
    made, source = [], chain.source
    for number, (op, values) in enumerate(wanted):
        last = number == len(wanted) - 1
        target = chain.nodes[-1 if last else 0].outputs[0]
        stem = graph.tensors[target].name
        made.append(_operator(model, op, source, target, values.astype(np.float32), stem))
        source = target
    return made


def _operator(
    model: Any, op: str, source: int, target: int, values: NDArray[np.float32], stem: str
) -> Any:
    """Make an operator of a tensor and a constant."""
    from ai_edge_litert import schema_py_generated as schema

    constant = _constant(model, f"{stem}/{op.lower()}", values)
    operator = schema.OperatorT()
    operator.inputs, operator.outputs = [source, constant], [target]
    title = op.title()
    operator.builtinOptionsType = getattr(schema.BuiltinOptions, f"{title}Options")
    operator.builtinOptions = getattr(schema, f"{title}OptionsT")()
    number = getattr(schema.BuiltinOperator, op)
    known = [code.builtinCode for code in model.operatorCodes]
    if number not in known:
        code = schema.OperatorCodeT()
        code.builtinCode, code.deprecatedBuiltinCode, code.version = number, number, 1
        model.operatorCodes.append(code)
        known.append(number)
    operator.opcodeIndex = known.index(number)
    return operator


def _constant(model: Any, name: str, values: NDArray[np.float32]) -> int:
    from ai_edge_litert import schema_py_generated as schema

    tensor = schema.TensorT()
    tensor.name, tensor.type, tensor.buffer = name.encode(), schema.TensorType.FLOAT32, 0
    tensors = model.subgraphs[0].tensors
    tensors.append(tensor)
    set_constant(model, len(tensors) - 1, values)
    return len(tensors) - 1
