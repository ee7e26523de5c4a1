"""Write small ONNX files, and run them in onnxruntime beside the imported module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from export.importers.onnx import OnnxNetwork, open_onnx

__all__ = [
    "Array", "agree", "model", "node", "onnx_results", "open_bytes", "results", "samples", "store",
    "tensor",
]  # fmt: skip

Array = NDArray[Any]
node = helper.make_node


def tensor(name: str, values: Any, dtype: Any = np.float32) -> onnx.TensorProto:
    return numpy_helper.from_array(np.asarray(values, dtype), name)


def model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, Sequence[int | str]],
    outputs: Sequence[str],
    constants: Sequence[onnx.TensorProto] = (),
    *,
    opset: int = 13,
    domains: Sequence[str] = (),
) -> onnx.ModelProto:
    """Make a model; the outputs' shapes are left open."""
    graph = helper.make_graph(
        list(nodes),
        "tested",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, list(s)) for n, s in inputs.items()],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in outputs],
        list(constants),
    )
    versions = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, 1) for d in domains)]
    return helper.make_model(graph, opset_imports=versions, ir_version=8)


def store(path: Path, made: onnx.ModelProto) -> Path:
    path.write_bytes(made.SerializeToString())
    return path


def open_bytes(
    folder: Path, made: onnx.ModelProto, input_hw: tuple[int, int] | None = None
) -> OnnxNetwork:
    return open_onnx(store(folder / "net.onnx", made), input_hw=input_hw)


def samples(network: OnnxNetwork, seed: int = 0) -> list[Array]:
    """Return random inputs as the module takes them."""
    rng = np.random.default_rng(seed)
    return [rng.normal(0, 1.5, t.shape).astype(np.float32) for t in network.inputs]


def results(network: OnnxNetwork, inputs: Sequence[Array]) -> list[Array]:
    """Run the module."""
    import torch

    with torch.no_grad():
        found = network.module(*(torch.from_numpy(x) for x in inputs))
    return [y.numpy() for y in (found if isinstance(found, tuple) else (found,))]


def onnx_results(
    made: onnx.ModelProto, network: OnnxNetwork, inputs: Sequence[Array]
) -> list[Array]:
    """Run the file itself on the same inputs."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        made.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    feed = {
        t.name: np.ascontiguousarray(x.transpose(0, 3, 1, 2)) if t.turned else x
        for t, x in zip(network.inputs, inputs, strict=True)
    }
    return [np.asarray(y) for y in session.run(None, feed)]


def agree(tmp_path: Path, made: Any, input_hw: tuple[int, int] | None = None) -> Any:
    """Import a model, hold its outputs against ONNX Runtime's, and return the network."""
    network = open_bytes(tmp_path, made, input_hw)
    inputs = samples(network)
    for mine, theirs in zip(
        results(network, inputs), onnx_results(made, network, inputs), strict=True
    ):
        assert mine.shape == theirs.shape
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-4)
    return network
