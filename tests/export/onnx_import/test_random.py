"""Random small networks say what ONNX Runtime says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.export.onnx_import.makers import (
    agree,
    model,
    node,
    tensor,
)

torch = pytest.importorskip("torch", reason="needs torch: pip install -e .[export]")

_INT = np.int64


_ACTIVATIONS = ("Relu", "Sigmoid", "HardSwish", "LeakyRelu", "Elu", "Tanh", "Clip")


@st.composite
def _networks(draw: Any) -> Any:
    """Draw a small network: convolutions, pools, resizes, skips and a head."""
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    nodes: list[Any] = []
    constants = [tensor("zero", 0.0), tensor("six", 6.0), tensor("double", [1.0, 1, 2, 2])]
    size = [draw(st.integers(5, 17)), draw(st.integers(5, 17))]
    inputs = {"x": (1, draw(st.sampled_from([1, 3, 4])), *size)}
    last, channels, skip = "x", inputs["x"][1], ("x", inputs["x"][1], tuple(size))

    def weight(*shape: int) -> str:
        name = f"w{len(constants)}"
        scale = 1 / np.sqrt(max(np.prod(shape[1:]), 1))
        constants.append(tensor(name, rng.normal(0, scale, shape)))
        return name

    for number in range(draw(st.integers(2, 6))):
        kind = draw(st.sampled_from(["conv", "depthwise", "pool", "up", "skip", "norm", "prelu"]))
        made = f"t{number}"
        if kind in ("conv", "depthwise"):
            kernel, stride = draw(st.sampled_from([1, 2, 3, 5])), draw(st.integers(1, 2))
            pads = draw(st.lists(st.integers(0, kernel // 2), min_size=4, max_size=4))
            spans = [size[i] + pads[i] + pads[i + 2] - kernel for i in range(2)]
            if min(spans) < 0:
                continue
            group = channels if kind == "depthwise" else 1
            outputs = (
                channels * draw(st.integers(1, 2))
                if kind == "depthwise"
                else draw(st.integers(1, 6))
            )
            names = [last, weight(outputs, channels // group, kernel, kernel)]
            if draw(st.booleans()):
                names.append(weight(outputs))
            nodes.append(node("Conv", names, [made], pads=pads, strides=[stride] * 2, group=group))
            channels, size = outputs, [span // stride + 1 for span in spans]
        elif kind == "pool":
            if min(size) < 3:
                continue
            op = draw(st.sampled_from(["MaxPool", "AveragePool"]))
            ceil, pad = draw(st.integers(0, 1)), draw(st.integers(0, 1))
            nodes.append(
                node(
                    op,
                    [last],
                    [made],
                    kernel_shape=[3, 3],
                    strides=[2, 2],
                    pads=[pad] * 4,
                    ceil_mode=ceil,
                )
            )
            over = [(n + 2 * pad - 3) for n in size]
            counts = [-(-n // 2) + 1 if ceil else n // 2 + 1 for n in over]
            size = [
                c - 1 if (c - 1) * 2 >= n + pad else c for c, n in zip(counts, size, strict=True)
            ]
        elif kind == "up":
            if max(size) > 20:
                continue
            mode = draw(st.sampled_from(["nearest", "linear"]))
            nodes.append(node("Resize", [last, "", "double"], [made], mode=mode))
            size = [2 * n for n in size]
        elif kind == "skip":
            other, width, where = skip
            if where != tuple(size):
                continue
            nodes.append(node("Concat", [last, other], [made], axis=1))
            channels += width
        elif kind == "norm":
            vectors = [weight(channels) for _ in range(3)]
            constants.append(tensor(f"v{number}", rng.uniform(0.5, 2, channels)))
            nodes.append(node("BatchNormalization", [last, *vectors, f"v{number}"], [made]))
        else:
            constants.append(tensor(f"s{number}", rng.uniform(-0.5, 1.5, (channels, 1, 1))))
            nodes.append(node("PRelu", [last, f"s{number}"], [made]))
        last = made
        if draw(st.booleans()):
            op = draw(st.sampled_from(_ACTIVATIONS))
            names = [last, "zero", "six"] if op == "Clip" else [last]
            nodes.append(node(op, names, [f"a{number}"]))
            last = f"a{number}"
        if draw(st.booleans()):
            skip = (last, channels, tuple(size))
    nodes.append(node("Flatten", [last], ["flat"]))
    features = channels * size[0] * size[1]
    nodes.append(node("Gemm", ["flat", weight(3, features), weight(3)], ["y"], transB=1))
    return model(nodes, inputs, ["y", last] if last != "x" else ["y"], constants, opset=14)


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(made=_networks())
def test_random_networks_agree_with_onnxruntime(made: Any, tmp_path: Path) -> None:
    agree(tmp_path, made)
