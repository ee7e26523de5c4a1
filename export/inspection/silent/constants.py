"""What the constants of a TFLite file show without running it: biases, weights, scales."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.anatomy.graph import Graph, Node, Tensor
from benchmarks.anatomy.tracer import tensor_names
from export.inspection.silent.finding import Finding, spelled

__all__ = ["check_constants"]

_BIASED = {"CONV_2D": 2, "DEPTHWISE_CONV_2D": 2, "FULLY_CONNECTED": 2, "TRANSPOSE_CONV": 3}
_WEIGHTS = 1
_MOST = float(np.iinfo(np.int32).max)
#: A bias this near the end of int32 was cut off there; none is by chance.
_AT_THE_END = 0.99 * _MOST
#: Beyond half of int32 a bias may leave the products no room in the sum.
_LARGE = 2.0**30
#: A stored value is at most so far from its zero point.
_MOST_STEPS = 255
#: Fewer different stored values than this, where float has many, say next to nothing.
_FEW = 4
_MANY = 16


def check_constants(exact: Graph, artefact: Graph) -> list[Finding]:
    """Find what is wrong with stored numbers.

    Args:
        exact: the float network, for what the numbers should be.
        artefact: with the same tensor names.
    """
    names = tensor_names(artefact)
    twins = {
        name: exact.nodes[node.index]
        for node in exact.nodes
        for name in (tensor_names(exact)[i] for i in node.outputs[:1])
    }
    found = [*_scales(artefact, names), *_not_finite(artefact, names)]
    for node in artefact.nodes:
        if node.op in _BIASED and node.outputs:
            name = names[node.outputs[0]]
            twin = twins.get(name)
            found += _bias(artefact, node, name, _constant(exact, twin, _BIASED[node.op]))
            found += _weights(artefact, node, name, _constant(exact, twin, _WEIGHTS))
    return found


def _scales(graph: Graph, names: tuple[str, ...]) -> list[Finding]:
    """Find scales that are not positive or not finite."""
    # A tensor belongs to what makes it, a constant to what reads it.
    makers = {index: node for node in reversed(graph.nodes) for index in node.inputs}
    makers |= {index: node for node in graph.nodes for index in node.outputs}
    found = []
    for tensor in graph.tensors:
        if tensor.quantisation is None:
            continue
        scale = tensor.quantisation.scale
        wrong = ~(np.isfinite(scale) & (scale > 0))
        if wrong.any():
            node = makers.get(tensor.index)
            what = f"{spelled(names[tensor.index])} has the scale {scale[wrong][0]:g}"
            found.append(Finding("scale", *_layer(node, names, tensor), what))
    return found


def _not_finite(graph: Graph, names: tuple[str, ...]) -> list[Finding]:
    """Find float constants with values that are no numbers."""
    found = []
    for node in graph.nodes:
        for index in node.inputs:
            data = graph.tensors[index].data if index >= 0 else None
            if data is not None and data.dtype.kind == "f" and not np.isfinite(data).all():
                share = 1 - float(np.isfinite(data).mean())
                what = f"{share:.0%} of its constant {spelled(names[index])} are no numbers"
                found.append(Finding("finite", *_layer(node, names, graph.tensors[index]), what))
    return found


def _bias(graph: Graph, node: Node, name: str, exact: NDArray[np.float32] | None) -> list[Finding]:
    """Find a bias that int32 cut off, or that leaves the sum no room."""
    bias = _constant_tensor(graph, node, _BIASED[node.op])
    if bias is None or bias.dtype != "int32" or bias.quantisation is None or bias.data is None:
        return []
    size = np.abs(bias.data.astype(np.float64)).ravel()
    scale = np.broadcast_to(bias.quantisation.scale.astype(np.float64), size.shape)
    wrong = size >= _AT_THE_END
    if exact is not None and exact.size == size.size:
        wrong |= np.abs(exact.astype(np.float64)).ravel() > scale * _MOST
    products = _most_of_products(graph, node, size.size)
    wrong |= (size > _LARGE) & (size + products > _MOST)
    if not wrong.any():
        return []
    channel = int(np.argmax(np.where(wrong, size, -1)))
    wanted = (
        ""
        if exact is None or exact.size != size.size
        else (f", in float it is {exact.ravel()[channel]:g}")
    )
    what = (
        f"the bias is saturated in {int(wrong.sum())} of {size.size} channels: channel {channel} "
        f"stores {int(bias.data.ravel()[channel])} with scale {scale[channel]:.3g}, so at most "
        f"{scale[channel] * _MOST:.3g}{wanted}; what flows in or the weights have vanished"
    )
    return [Finding("bias", name, node.op, what)]


def _most_of_products(graph: Graph, node: Node, channels: int) -> NDArray[np.float64]:
    """Return the most that the products of each channel can come to, in steps of the bias."""
    weights = _constant_tensor(graph, node, _WEIGHTS)
    if weights is None or weights.data is None or weights.data.ndim == 0:
        return np.zeros(channels)
    axis = 3 if node.op == "DEPTHWISE_CONV_2D" else 0
    if weights.data.ndim <= axis or weights.data.shape[axis] != channels:
        return np.zeros(channels)
    others = tuple(k for k in range(weights.data.ndim) if k != axis)
    total: NDArray[np.float64] = np.abs(weights.data.astype(np.float64)).sum(axis=others)
    return total * _MOST_STEPS


def _weights(
    graph: Graph, node: Node, name: str, exact: NDArray[np.float32] | None
) -> list[Finding]:
    """Find weights that were stored in next to no steps."""
    weights = _constant_tensor(graph, node, _WEIGHTS)
    if weights is None or weights.dtype != "int8" or weights.data is None or exact is None:
        return []
    steps, values = len(np.unique(weights.data)), len(np.unique(exact))
    if steps >= _FEW or values < _MANY:
        return []
    what = f"its weights are stored in {steps} steps and have {values} values in float"
    return [Finding("weights", name, node.op, what)]


def _constant(graph: Graph, node: Node | None, place: int) -> NDArray[np.float32] | None:
    tensor = None if node is None else _constant_tensor(graph, node, place)
    return None if tensor is None else tensor.real


def _constant_tensor(graph: Graph, node: Node, place: int) -> Tensor | None:
    if len(node.inputs) <= place or node.inputs[place] < 0:
        return None
    tensor = graph.tensors[node.inputs[place]]
    return tensor if tensor.data is not None else None


def _layer(node: Node | None, names: tuple[str, ...], tensor: Tensor) -> tuple[str, str]:
    """Name the layer that a tensor belongs to: its output's name, its operator."""
    if node is None or not node.outputs:
        return names[tensor.index], ""
    return names[node.outputs[0]], node.op
