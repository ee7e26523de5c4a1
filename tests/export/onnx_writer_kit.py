"""Run a float TFLite file and the ONNX file written from it on the same inputs."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import onnx
import onnxruntime
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from benchmarks.anatomy.graph import read_graph
from export.onnx_writer import input_steps, write_onnx
from tests.export.float_maker import Maker

__all__ = [
    "Array",
    "Bench",
    "as_onnx",
    "counts",
    "error_db",
    "model_of",
    "run_onnx",
    "run_tflite",
    "samples_of",
]

Array = NDArray[Any]


class Bench(Maker):
    """A maker that knows operators with several outputs, and those of a later version."""

    def several(
        self, op: str, inputs: list[int], shapes: list[tuple[int, ...]], **options: Any
    ) -> list[int]:
        """Add an operator with more than one output."""
        first = self.node(op, inputs, shapes[0], **options)
        rest = [
            self._tensor(f"{op}_more{i}", shape, "float32", 0) for i, shape in enumerate(shapes[1:])
        ]
        self._operators[-1].outputs += rest
        return [first, *rest]

    def _code(self, op: str, old: bool) -> Any:
        code = super()._code(op, old)
        code.version = 2 if op == "BROADCAST_TO" else 1
        return code


def samples_of(content: bytes, count: int = 1, *, seed: int = 0) -> list[tuple[Array, ...]]:
    """Return normally distributed inputs."""
    graph = read_graph(content, where="test")
    rng = np.random.default_rng(seed)
    shapes = [graph.tensors[index].shape for _, index in graph.inputs]
    return [tuple(rng.normal(size=s).astype(np.float32) for s in shapes) for _ in range(count)]


def run_tflite(content: bytes, sample: tuple[Array, ...]) -> list[Array]:
    """Return the outputs, in the order of the signature."""
    graph = read_graph(content, where="test")
    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    for (_, index), array in zip(graph.inputs, sample, strict=True):
        interpreter.set_tensor(index, array)
    interpreter.invoke()
    return [interpreter.get_tensor(index).copy() for _, index in graph.outputs]


def run_onnx(content: bytes, sample: tuple[Array, ...]) -> list[Array]:
    """Return the outputs for real inputs, which are stored as int8 where the file wants that."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    steps = input_steps(content)
    feed = {}
    for value, array in zip(session.get_inputs(), sample, strict=True):
        if value.name in steps:
            scale, zero = steps[value.name]
            array = np.clip(np.rint(array / scale) + zero, -128, 127).astype(np.int8)
        feed[value.name] = array
    return list(session.run(None, feed))


def as_onnx(maker: Bench, *outputs: int, opset: int = 19, precision: str = "fp32") -> bytes:
    """Write a network in the making."""
    content = maker.build(*outputs)
    return write_onnx(content, precision=precision, ranges=None, opset=opset, where="test")


def model_of(content: bytes) -> Any:
    """Return the file as protobuf, after ONNX's own full check."""
    model = onnx.load_from_string(content)
    onnx.checker.check_model(model, full_check=True)
    return model


def counts(content: bytes) -> Counter[str]:
    """Return how often each operator occurs."""
    return Counter(node.op_type for node in model_of(content).graph.node)


def error_db(wanted: Array, found: Array) -> float:
    """Return the signal's power against the error's, at most 150 dB."""
    noise = float(((wanted.astype(np.float64) - found) ** 2).sum())
    power = float((wanted.astype(np.float64) ** 2).sum())
    return 150.0 if noise == 0 else min(150.0, 10 * float(np.log10(max(power, 1e-30) / noise)))
