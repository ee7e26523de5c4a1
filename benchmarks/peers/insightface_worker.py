"""insightface's embedding network with random weights, for ``benchmarks.peers.worker``.

The package holds no network of its own, only what runs them; its weights may not be used freely.
So its recogniser runs on an IResNet-50 (Deng et al. 2019, the ArcFace paper's ResNet-50 variant:
``iresnet50`` of insightface's training code) of the right shapes and random numbers.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from insightface.model_zoo.arcface_onnx import ArcFaceONNX
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

__all__ = ["PARAMETERS", "iresnet50", "opener"]

#: Of ``iresnet50``: weights, and scale and shift of each batch norm; running mean and variance are
#: no parameters.
PARAMETERS = 43_590_848
#: (width, blocks) of each of the four levels; each halves the picture.
_LEVELS = ((64, 3), (128, 4), (256, 14), (512, 3))
_SIDE, _EMBEDDING = 112, 512


class _Builder:
    """Collect nodes and random weights of a network that computes one line of tensors."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.parameters = 0
        self._random = np.random.default_rng(0)

    def node(self, op: str, inputs: Sequence[str], **attributes: object) -> str:
        """Add a node and return the name of its output."""
        name = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], **attributes))
        return name

    def constant(self, values: NDArray[Any], *, learned: bool = True) -> str:
        """Add a weight and return its name."""
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(values.astype(np.float32), name))
        self.parameters += values.size if learned else 0
        return name

    def conv(self, x: str, cin: int, cout: int, kernel: int, stride: int) -> str:
        """Add a convolution without bias."""
        fan_in = cin * kernel * kernel
        weight = self._random.normal(0, fan_in**-0.5, (cout, cin, kernel, kernel))
        pad = kernel // 2
        return self.node(
            "Conv",
            [x, self.constant(weight)],
            strides=[stride, stride],
            pads=[pad] * 4,
            kernel_shape=[kernel, kernel],
        )

    def norm(self, x: str, channels: int) -> str:
        """Add a batch norm that changes nothing, as a fresh one."""
        one, zero = np.ones(channels, np.float32), np.zeros(channels, np.float32)
        names = [self.constant(one), self.constant(zero)]
        names += [self.constant(zero, learned=False), self.constant(one, learned=False)]
        return self.node("BatchNormalization", [x, *names], epsilon=1e-5)

    def prelu(self, x: str, channels: int) -> str:
        """Add a PReLU with a slope a channel."""
        return self.node("PRelu", [x, self.constant(np.full((channels, 1, 1), 0.25, np.float32))])

    def block(self, x: str, cin: int, cout: int, stride: int) -> str:
        """Add an improved residual block: norm, conv, norm, PReLU, conv, norm, and the shortcut."""
        y = self.norm(self.conv(self.norm(x, cin), cin, cout, 3, 1), cout)
        y = self.norm(self.conv(self.prelu(y, cout), cout, cout, 3, stride), cout)
        if stride > 1:
            x = self.norm(self.conv(x, cin, cout, 1, stride), cout)
        return self.node("Add", [x, y])


def iresnet50() -> tuple[onnx.ModelProto, int]:
    """Return the network as ONNX and its number of parameters."""
    build = _Builder()
    x, channels = build.prelu(build.norm(build.conv("input", 3, 64, 3, 1), 64), 64), 64
    for width, blocks in _LEVELS:
        for i in range(blocks):
            x = build.block(x, channels, width, 2 if i == 0 else 1)
            channels = width
    flat = channels * (_SIDE // 2 ** len(_LEVELS)) ** 2
    x = build.node("Flatten", [build.norm(x, channels)])
    dense = np.random.default_rng(1).normal(0, flat**-0.5, (flat, _EMBEDDING))
    bias = build.constant(np.zeros(_EMBEDDING, np.float32))
    x = build.node("Gemm", [x, build.constant(dense), bias])
    x = build.norm(x, _EMBEDDING)
    graph = helper.make_graph(
        build.nodes,
        "iresnet50",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, _SIDE, _SIDE])],
        [helper.make_tensor_value_info(x, TensorProto.FLOAT, [1, _EMBEDDING])],
        build.weights,
    )
    opset = helper.make_opsetid("", 17)
    return helper.make_model(graph, opset_imports=[opset], ir_version=8), build.parameters


def opener(
    threads: int, arguments: Sequence[str]
) -> Callable[[str], tuple[int, Callable[[], object]]]:
    """Return what builds the network: its parameters, and a call that runs it on a crop.

    Raises:
        ValueError: the network has another number of parameters than theirs.
    """
    del arguments

    def open_network(name: str) -> tuple[int, Callable[[], object]]:
        del name
        model, parameters = iresnet50()
        if parameters != PARAMETERS:
            raise ValueError(f"{parameters:,} parameters, and theirs has {PARAMETERS:,}")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "iresnet50.onnx"
            onnx.save(model, path)
            session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
            recogniser = ArcFaceONNX(str(path), session)
        crop = np.random.default_rng(2).integers(0, 256, (_SIDE, _SIDE, 3), np.uint8)
        return parameters, lambda: recogniser.get_feat(crop)

    return open_network
