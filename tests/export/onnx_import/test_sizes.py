"""A graph at another size than its file's: what takes it, and which node does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.errors import ConfigError
from tests.export.onnx_import.makers import (
    agree,
    model,
    node,
    open_bytes,
    tensor,
)

torch = pytest.importorskip("torch", reason="needs torch: pip install -e .[export]")

_INT = np.int64


def _fixed(*nodes: Any, constants: list[Any], outputs: tuple[str, ...] = ("y",)) -> Any:
    weight = tensor("w", np.random.default_rng(1).normal(size=(4, 3, 3, 3)))
    conv = node("Conv", ["x", "w"], ["c"], name="conv", pads=[1, 1, 1, 1])
    return model([conv, *nodes], {"x": (1, 3, 8, 8)}, outputs, [weight, *constants])


def test_a_convolutional_network_takes_another_size(tmp_path: Path) -> None:
    made = _fixed(
        node("MaxPool", ["c"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        node("Transpose", ["p"], ["t"], perm=[0, 2, 3, 1]),
        node("Reshape", ["t", "s"], ["y"]),
        constants=[tensor("s", [1, -1, 2], _INT)],
    )
    network = open_bytes(tmp_path, made, (12, 6))
    assert network.outputs[0].shape == (1, 36, 2)
    assert open_bytes(tmp_path, made, (8, 8)).outputs[0].shape == (1, 32, 2)


_MADE_FOR_ITS_SIZE: Any = {
    "rows": _fixed(
        node("Reshape", ["c", "s"], ["y"], name="culprit"), constants=[tensor("s", [1, 256], _INT)]
    ),
    "dense": _fixed(
        node("Flatten", ["c"], ["f"]),
        node("Gemm", ["f", "g"], ["y"], name="culprit"),
        constants=[tensor("g", np.ones((256, 2)))],
    ),
    "priors": _fixed(
        node("Mul", ["c", "g"], ["y"], name="culprit"), constants=[tensor("g", np.ones((4, 8, 8)))]
    ),
    "global convolution": _fixed(
        node("Conv", ["c", "g"], ["y"], name="culprit", group=4),
        constants=[tensor("g", np.ones((4, 1, 8, 8)))],
    ),
    "global pool": _fixed(
        node("AveragePool", ["c"], ["y"], name="culprit", kernel_shape=[8, 8]), constants=[]
    ),
    "resize": _fixed(
        node("Resize", ["c", "", "", "s"], ["y"], name="culprit"),
        constants=[tensor("s", [1, 4, 16, 16], _INT)],
    ),
    "slice": _fixed(
        node("Slice", ["c", "a", "b", "d"], ["y"], name="culprit"),
        constants=[tensor("a", [2], _INT), tensor("b", [8], _INT), tensor("d", [3], _INT)],
    ),
    "batch": _fixed(
        node("Reshape", ["c", "s"], ["y"], name="culprit"),
        constants=[tensor("s", [-1, 4, 8, 8], _INT)],
    ),
}


@pytest.mark.parametrize("name", _MADE_FOR_ITS_SIZE)
def test_a_node_made_for_its_size_is_named(name: str, tmp_path: Path) -> None:
    made = _MADE_FOR_ITS_SIZE[name]
    agree(tmp_path, made)
    agree(tmp_path, made, (8, 8))
    with pytest.raises(ConfigError, match="'culprit'") as caught:
        open_bytes(tmp_path, made, (16, 16))
    assert "--imgsz" in caught.value.hint


def test_a_size_that_a_network_cannot_take_is_named(tmp_path: Path) -> None:
    nodes = [
        node("MaxPool", ["x"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        node("Resize", ["p", "", "s"], ["u"], mode="nearest"),
        node("Add", ["x", "u"], ["y"], name="join"),
    ]
    made = model(nodes, {"x": (1, 3, "H", "W")}, ["y"], [tensor("s", [1.0, 1, 2, 2])])
    agree(tmp_path, made, (6, 8))
    with pytest.raises(ConfigError, match=r"'join' \(Add\) does not take"):
        open_bytes(tmp_path, made, (7, 8))
