"""Take out of the biases what rounded weights add to each channel in the mean.

M. Nagel, M. van Baalen, T. Blankevoort, M. Welling, "Data-Free Quantization Through Weight
Equalization and Bias Correction", ICCV 2019 (arXiv 1906.04721), section 4.2: the error of a
layer's rounded weights has a mean of ``(rounded - real) * E[x]``, which the bias can take back.
Here the mean of the inputs is that of real ones.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.anatomy.flatbuffer import pack, set_constant, unpack
from benchmarks.anatomy.graph import Graph, Node, read_graph
from edge.errors import DataError
from export.calibration.ranges import Ranges
from export.program.canonical import canonical
from export.program.runner import Runner, Sample
from export.quantisation.quantise import quantise
from export.quantisation.scales import CHANNEL_AXIS, operands

__all__ = ["correct_bias"]

_Image = NDArray[np.float64]


def correct_bias(
    content: bytes,
    ranges: Ranges,
    samples: Iterable[Sample],
    *,
    keep_float: frozenset[str] = frozenset(),
    where: str,
) -> tuple[bytes, list[str]]:
    """Change the biases of a float network so that its INT8 file has no mean error of weights.

    The result is there to be quantised with the same ranges, not to be used in float.

    Args:
        content: float TFLite file.
        ranges: of that file.
        samples: real inputs; read once.
        keep_float: names of results whose nodes stay float; they are left alone.
        where: the network's name, for messages.

    Returns:
        The file, and the names of the results of the layers whose bias changed.

    Raises:
        UnavailableError: ai-edge-quantizer is not installed.
        DataError: the ranges are of another network, there are no samples, or one does not fit.
    """
    content = canonical(content, where=where)
    graph = read_graph(content, where=where)
    rounded = _rounded_weights(quantise(content, ranges, keep_float=keep_float, where=where), where)
    layers = [
        node
        for node in graph.nodes
        if node.op in CHANNEL_AXIS and graph.tensors[node.outputs[0]].name in rounded
    ]
    means = _mean_inputs(content, graph, layers, samples, where)
    model, changed = unpack(content, where=where), []
    for node in layers:
        source, weight, bias = operands(node)
        name = graph.tensors[node.outputs[0]].name
        before = graph.tensors[bias].data if bias >= 0 else None
        real = graph.tensors[weight].data
        if before is None or real is None:
            continue
        taps = _mean_taps(graph, node, means[source])
        error = _mean_error(node, rounded[name].astype(np.float64) - real, taps)
        if error.any():
            set_constant(model, bias, (before - error).astype(np.float32))
            changed.append(name)
    return (pack(model) if changed else content), changed


def _rounded_weights(content: bytes, where: str) -> dict[str, NDArray[np.float32]]:
    """Return the real values of the int8 weights by the name of their node's result."""
    graph = read_graph(content, where=where)
    nodes = (node for node in graph.nodes if node.op in CHANNEL_AXIS)
    pairs = ((graph.tensors[n.outputs[0]].name, graph.tensors[operands(n)[1]]) for n in nodes)
    return {name: weight.real for name, weight in pairs if weight.dtype == "int8"}


def _mean_inputs(
    content: bytes, graph: Graph, layers: list[Node], samples: Iterable[Sample], where: str
) -> dict[int, _Image]:
    """Return the mean over the samples of each tensor that a layer reads."""
    tensors = {operands(node)[0]: graph.tensors[operands(node)[0]] for node in layers}
    means = {index: np.zeros(tensor.shape) for index, tensor in tensors.items()}
    runner = Runner(content, graph, where)
    count = 0
    for sample in samples:
        runner.run(sample, count)
        for index, tensor in tensors.items():
            means[index] += runner.read(tensor)
        count += 1
    if not count:
        raise DataError(f"{where}: no samples to correct biases with", code="export.samples")
    return {index: total / count for index, total in means.items()}


def _mean_taps(graph: Graph, node: Node, image: _Image) -> _Image:
    """Return what each tap of a kernel reads in the mean over all places of the result.

    Args:
        graph: of the network.
        node: a convolution or a dense layer.
        image: mean of its input, ``[1, H, W, C]`` or whatever a dense layer flattens.

    Returns:
        float64 ``[kh, kw, C]``, zeros beyond the border counted; ``[C]`` for a dense layer.
    """
    kernel = graph.tensors[operands(node)[1]].shape
    if node.op == "FULLY_CONNECTED":
        return image.reshape(-1, kernel[1]).mean(axis=0)
    result = graph.tensors[node.outputs[0]].shape[1:3]
    if node.op == "TRANSPOSE_CONV":
        share: _Image = image[0].sum(axis=(0, 1)) / (result[0] * result[1])
        return np.broadcast_to(share, (*kernel[1:3], share.size))
    taps = np.zeros((*kernel[1:3], image.shape[3]))
    rows, columns = (_places(node, axis, image.shape, kernel, result) for axis in (0, 1))
    for y in range(kernel[1]):
        for x in range(kernel[2]):
            inside = image[0][rows[y]][:, columns[x]]
            taps[y, x] = inside.sum(axis=(0, 1)) / (result[0] * result[1])
    return taps


def _places(
    node: Node, axis: int, image: tuple[int, ...], kernel: tuple[int, ...], result: tuple[int, ...]
) -> list[NDArray[np.intp]]:
    """Return which rows (or columns) each tap reads, those beyond the border left out."""
    letter, size, taps, places = "HW"[axis], image[1 + axis], kernel[1 + axis], result[axis]
    stride = _number(node, f"stride{letter}")
    dilation = _number(node, f"dilation{letter}Factor")
    before = 0
    if node.options["padding"] == "SAME":
        before = max((places - 1) * stride + (taps - 1) * dilation + 1 - size, 0) // 2
    starts = np.arange(places) * stride - before
    read = (starts + tap * dilation for tap in range(taps))
    return [rows[(rows >= 0) & (rows < size)] for rows in read]


def _number(node: Node, key: str) -> int:
    value = node.options[key]
    assert isinstance(value, int), f"{key} is a number in the schema"
    return value


def _mean_error(node: Node, error: _Image, taps: _Image) -> NDArray[Any]:
    """Return what an error of the weights adds to each channel of the result."""
    if node.op == "FULLY_CONNECTED":
        return error @ taps
    if node.op == "DEPTHWISE_CONV_2D":
        times = error.shape[3] // taps.shape[2]
        return (error[0] * np.repeat(taps, times, axis=2)).sum(axis=(0, 1))
    groups = taps.shape[2] // error.shape[3]
    parts = zip(np.split(error, groups), np.split(taps, groups, axis=2), strict=True)
    return np.concatenate([np.einsum("oyxi,yxi->o", e, t) for e, t in parts])
