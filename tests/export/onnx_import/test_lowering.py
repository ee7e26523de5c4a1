"""Imported networks as TFLite files, in the runtime that will run them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.anatomy.graph import Graph, read_graph
from benchmarks.anatomy.quiet import quiet
from benchmarks.metrics import sqnr_db
from export.importers.onnx import OnnxNetwork
from export.program.lower import lower_module
from tests.export.onnx_import.makers import (
    model,
    node,
    onnx_results,
    open_bytes,
    samples,
    tensor,
)

for _library in ("torch", "litert_torch"):
    pytest.importorskip(_library, reason=f"needs {_library}: pip install -e .[export]")


class _Weights:
    """Name random weights as they are asked for."""

    def __init__(self) -> None:
        self._rng = np.random.default_rng(3)
        self.stored: list[Any] = []

    def __call__(self, *shape: int, low: float | None = None) -> str:
        scale = np.sqrt(2 / max(np.prod(shape[1:]), 1))
        values = self._rng.normal(0, scale, shape)
        return self.fixed(values if low is None else self._rng.uniform(low, 1, shape))

    def fixed(self, values: Any, dtype: Any = np.float32) -> str:
        self.stored.append(tensor(f"w{len(self.stored)}", values, dtype))
        return f"w{len(self.stored) - 1}"


def _lowered(network: OnnxNetwork) -> bytes:
    return lower_module(network.module, [t.shape for t in network.inputs], where="net.onnx")


def _run(content: bytes, inputs: list[Any]) -> list[Any]:
    from ai_edge_litert.interpreter import Interpreter

    with quiet():
        runner = Interpreter(model_content=content, num_threads=1).get_signature_runner()
    found = runner(**{f"args_{i}": x for i, x in enumerate(inputs)})
    return [found[f"output_{i}"] for i in range(len(found))]


def _prove(made: Any, folder: Path, *, least_db: float = 90) -> Graph:
    """Lower a network, hold it against onnxruntime, and return its graph."""
    network = open_bytes(folder, made)
    content, inputs = _lowered(network), samples(network)
    wanted = onnx_results(made, network, inputs)
    for mine, theirs in zip(_run(content, inputs), wanted, strict=True):
        assert mine.shape == theirs.shape
        assert sqnr_db(theirs, mine) >= least_db
    graph = read_graph(content, where="net.tflite")
    assert not [n.op for n in graph.nodes if n.custom]
    return graph


def _detector() -> Any:
    """Return what face detectors are made of, down to two heads."""
    w = _Weights()
    nodes = [
        # A stem with PyTorch's border, one with TensorFlow's, and one that fits neither.
        node("Conv", ["x", w(8, 3, 3, 3)], ["a0"], strides=[2, 2], pads=[1, 1, 1, 1]),
        node("BatchNormalization", ["a0", w(8), w(8), w(8), w(8, low=0.5)], ["a1"]),
        node("PRelu", ["a1", w(8, 1, 1, low=-0.2)], ["a2"]),
        node("Conv", ["a2", w(8, 1, 3, 3)], ["b0"], group=8, strides=[2, 2], pads=[0, 0, 1, 1]),
        node("Conv", ["b0", w(16, 8, 1, 1), w(16)], ["b1"]),
        node("Clip", ["b1", w.fixed(0.0), w.fixed(6.0)], ["b2"]),
        node("MaxPool", ["b2"], ["c0"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
        node("Conv", ["c0", w(16, 1, 3, 3)], ["c1"], group=16, pads=[2, 1, 0, 1]),
        # Channels are weighed, and half of them shuffled.
        node("GlobalAveragePool", ["c1"], ["s0"]),
        node("Conv", ["s0", w(16, 16, 1, 1), w(16)], ["s1"]),
        node("HardSigmoid", ["s1"], ["s2"], alpha=1 / 6, beta=0.5),
        node("Mul", ["c1", "s2"], ["s3"]),
        node("Split", ["s3"], ["l", "r"], axis=1),
        node("LeakyRelu", ["l"], ["l1"], alpha=0.1),
        node("Concat", ["r", "l1"], ["m0"], axis=1),
        # A pyramid of two steps.
        node("Resize", ["m0", "", w.fixed([1.0, 1, 2, 2])], ["u0"], mode="nearest"),
        node(
            "ConvTranspose",
            ["m0", w(16, 1, 4, 4)],
            ["u1"],
            group=16,
            strides=[2, 2],
            pads=[1, 1, 1, 1],
        ),
        node("Resize", ["m0", "", w.fixed([1.0, 1, 2, 2])], ["u2"], mode="linear"),
        node("Sum", ["u0", "u1", "u2"], ["u3"]),
        node("Pad", ["u3", w.fixed([0, 0, 1, 1, 0, 0, 1, 1], np.int64)], ["u4"], mode="edge"),
        node("Conv", ["u4", w(12, 16, 3, 3), w(12)], ["h0"]),
        # Heads as PyTorch writes them.
        node("Transpose", ["h0"], ["h1"], perm=[0, 2, 3, 1]),
        node("Reshape", ["h1", w.fixed([1, -1, 6], np.int64)], ["h2"]),
        node("Slice", ["h2", *(w.fixed([n], np.int64) for n in (0, 2, -1))], ["h3"]),
        node("Softmax", ["h3"], ["scores"], axis=-1),
        node("Slice", ["h2", *(w.fixed([n], np.int64) for n in (2, 6, -1))], ["h4"]),
        node("Div", ["h4", w.fixed([10.0])], ["boxes"]),
    ]
    return model(nodes, {"x": (1, 3, 32, 48)}, ["scores", "boxes"], w.stored)


def test_a_detector_lowers_without_a_transposition(tmp_path: Path) -> None:
    graph = _prove(_detector(), tmp_path)
    assert "TRANSPOSE" not in {n.op for n in graph.nodes}
    assert [n.op for n in graph.nodes if n.op in ("MUL", "MAXIMUM")][:2] == ["MUL", "MAXIMUM"]


def test_an_embedding_lowers_without_a_transposition(tmp_path: Path) -> None:
    w = _Weights()
    nodes = [
        node("Conv", ["x", w(8, 3, 3, 3)], ["a"], strides=[2, 2], pads=[1, 1, 1, 1]),
        node("BatchNormalization", ["a", w(8), w(8), w(8), w(8, low=0.5)], ["b"]),
        node("HardSwish", ["b"], ["c"]),
        node("DepthToSpace", ["c"], ["d"], blocksize=2),
        node("Conv", ["d", w(6, 2, 3, 3)], ["e"], strides=[2, 2], auto_pad="SAME_UPPER"),
        node("AveragePool", ["e"], ["f"], kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
        node("InstanceNormalization", ["f", w(6), w(6)], ["g"]),
        node("Flatten", ["g"], ["h"]),
        node("Gemm", ["h", w(10, 96), w(10)], ["i"], transB=1),
        node("LpNormalization", ["i"], ["y"]),
    ]
    graph = _prove(model(nodes, {"x": (1, 3, 16, 16)}, ["y"], w.stored, opset=14), tmp_path)
    # One for DepthToSpace, which moves numbers about; the weights are turned for the rest.
    assert Counter(n.op for n in graph.nodes)["TRANSPOSE"] == 1


def test_names_of_nodes_stand_in_the_lowered_file_and_two_runs_agree(tmp_path: Path) -> None:
    w = _Weights()
    nodes = [
        node("Conv", ["x", w(4, 3, 3, 3)], ["a"], name="/body/first/Conv"),
        node("PRelu", ["a", w(4, 1, 1, low=0)], ["b"], name="/body/second/PRelu"),
        node("GlobalAveragePool", ["b"], ["y"], name="/pool"),
    ]
    network = open_bytes(tmp_path, model(nodes, {"x": (1, 3, 8, 8)}, ["y"], w.stored))
    content = _lowered(network)
    names = " ".join(t.name for t in read_graph(content, where="").tensors)
    assert "/body/first/Conv" in names and "/body/second/PRelu" in names
    assert (
        _lowered(open_bytes(tmp_path, model(nodes, {"x": (1, 3, 8, 8)}, ["y"], w.stored)))
        == content
    )
