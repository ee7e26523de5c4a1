"""Every operator of the table against onnxruntime, over its attributes and versions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from export.importers.onnx import OPERATORS
from tests.export.onnx_import.cases import CASES, FEATURES, PICTURE, of_one, random
from tests.export.onnx_import.makers import (
    model,
    node,
    onnx_results,
    open_bytes,
    results,
    samples,
    tensor,
)

pytest.importorskip("torch", reason="needs torch: pip install -e .[export]")


@pytest.mark.parametrize("name", CASES)
def test_an_operator_is_what_onnxruntime_says(name: str, tmp_path: Path) -> None:
    made = CASES[name]
    network = open_bytes(tmp_path, made)
    inputs = samples(network)
    wanted = onnx_results(made, network, inputs)
    found = results(network, inputs)
    for tensor_, mine, theirs in zip(network.outputs, found, wanted, strict=True):
        assert mine.shape == theirs.shape == tensor_.shape
        np.testing.assert_allclose(mine, theirs, rtol=2e-5, atol=2e-5)


_RESIZES = [
    (mode, transform, rounding, size)
    for mode in ("nearest", "linear", "cubic")
    for transform in (
        "half_pixel",
        "pytorch_half_pixel",
        "align_corners",
        "asymmetric",
        "half_pixel_symmetric",
    )
    for rounding in (
        ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
        if mode == "nearest"
        else ("round_prefer_floor",)
    )
    for size in ((2.0, 2.0), (1.0, 3.0), (0.5, 0.5), (1.7, 0.6), (10, 14), (3, 1), (8, 6), (4, 11))
]


def _resize(mode: str, transform: str, rounding: str, size: tuple[float, float]) -> Any:
    whole = isinstance(size[0], int)
    value = tensor(
        "s", [1, 6, *size] if whole else [1, 1, *size], np.int64 if whole else np.float32
    )
    made = node(
        "Resize",
        ["x", "", "", "s"] if whole else ["x", "", "s"],
        ["y"],
        mode=mode,
        coordinate_transformation_mode=transform,
        nearest_mode=rounding,
    )
    return model([made], {"x": (1, 6, 6, 8)}, ["y"], [value], opset=19)


@pytest.mark.parametrize(("mode", "transform", "rounding", "size"), _RESIZES)
def test_resize_is_what_onnxruntime_says(
    mode: str, transform: str, rounding: str, size: tuple[float, float], tmp_path: Path
) -> None:
    made = _resize(mode, transform, rounding, size)
    network = open_bytes(tmp_path, made)
    inputs = samples(network)
    np.testing.assert_allclose(
        results(network, inputs)[0], onnx_results(made, network, inputs)[0], rtol=1e-4, atol=1e-4
    )


#: Upsample only grows, so opset 9 has no case that shrinks.
@pytest.mark.parametrize(
    ("opset", "scales"),
    [(9, (2.0, 2.0)), (9, (3.0, 1.0)), (10, (2.0, 2.0)), (10, (3.0, 1.0)), (10, (0.5, 0.5))],
)
def test_resize_of_old_files(opset: int, scales: tuple[float, float], tmp_path: Path) -> None:
    op = "Upsample" if opset == 9 else "Resize"
    made = of_one(op, (1, 6, 6, 8), {"s": np.float32([1, 1, *scales])}, opset=opset, mode="nearest")
    network = open_bytes(tmp_path, made)
    inputs = samples(network)
    np.testing.assert_array_equal(
        results(network, inputs)[0], onnx_results(made, network, inputs)[0]
    )


def test_every_operator_of_the_table_is_tested() -> None:
    covered = {n.op_type for made in CASES.values() for n in made.graph.node} | {
        "Resize",
        "Upsample",
    }
    folded = {name for name, row in OPERATORS.items() if row.folds}
    assert set(OPERATORS) - covered == folded


def test_every_operator_of_the_table_has_a_meaning() -> None:
    from export.importers.onnx.steps import BUILDERS

    assert set(BUILDERS) == set(OPERATORS)


@pytest.mark.parametrize(
    ("made", "what"),
    [
        (
            of_one(
                "Resize",
                FEATURES,
                {"": None, "s": np.float32([1, 1, 2, 2])},
                mode="cubic",
                exclude_outside=1,
            ),
            "exclude_outside",
        ),
        (of_one("Pad", FEATURES, {"p": [0] * 7 + [1]}, opset=19, mode="wrap"), "wrap"),
        (of_one("MaxPool", PICTURE, kernel_shape=[2, 2], dilations=[2, 2]), "dilations"),
        (of_one("MaxPool", PICTURE, outputs=("y", "i"), kernel_shape=[2, 2]), "results"),
        (of_one("LpNormalization", FEATURES, p=3), "p 3"),
        (of_one("Conv", PICTURE, {"w": random(4, 3, 3, 3)}, group=2), "Conv"),
        (of_one("Concat", FEATURES, axis=7), "axes"),
        (of_one("Reshape", FEATURES, {"s": [1, 6, 5, 6]}), "Reshape"),
        (of_one("Gather", FEATURES, {"i": [9]}, axis=1), "Gather"),
        (of_one("Cast", FEATURES, to=7), "whole numbers"),
        (of_one("Relu", FEATURES, alpha=1.0), "alpha"),
        (of_one("Softmax", FEATURES, axis=1.5), "axis"),
        (of_one("Elu", FEATURES, alpha=1), "alpha"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_not_supported_is_named(made: Any, what: str, tmp_path: Path) -> None:
    from edge.errors import ConfigError

    made.graph.node[0].name = "the_node"
    with pytest.raises(ConfigError) as caught:
        open_bytes(tmp_path, made)
    assert "'the_node'" in str(caught.value) and what in str(caught.value)
    assert caught.value.code == "source.operator"


def test_helper_makes_what_the_table_expects() -> None:
    """Attributes of the wrong type would make the refusals above pass for nothing."""
    assert (
        helper.get_attribute_value(of_one("Elu", FEATURES, alpha=1).graph.node[0].attribute[0]) == 1
    )
