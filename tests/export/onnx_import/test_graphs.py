"""Whole graphs: what folds away, and what is put together again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from edge.errors import ConfigError, DataError
from tests.export.onnx_import.makers import (
    agree,
    model,
    node,
    open_bytes,
    results,
    tensor,
)

torch = pytest.importorskip("torch", reason="needs torch: pip install -e .[export]")

_INT = np.int64


def _children(network: Any) -> list[str]:
    return [name for name, _ in network.module.named_children()]


def _tail(batch: int | str, height: int | str, width: int | str) -> Any:
    """Return a head of a detector as PyTorch writes it: Shape, Gather, Concat, Reshape."""
    nodes = [
        node("Conv", ["x", "w"], ["c"], name="conv", pads=[1, 1, 1, 1]),
        node("Transpose", ["c"], ["t"], name="turn", perm=[0, 2, 3, 1]),
        node("Shape", ["t"], ["s"]),
        node("Constant", [], ["zero"], value=tensor("v", 0, _INT)),
        node("Gather", ["s", "zero"], ["n"], axis=0),
        node("Unsqueeze", ["n", "zeros"], ["n1"]),
        node("Concat", ["n1", "rest"], ["target"], axis=0),
        node("Reshape", ["t", "target"], ["y"], name="rows"),
    ]
    constants = [
        tensor("w", np.random.default_rng(0).normal(size=(4, 3, 3, 3))),
        tensor("zeros", [0], _INT),
        tensor("rest", [-1, 2], _INT),
    ]
    return model(nodes, {"x": (batch, 3, height, width)}, ["y"], constants)


def test_arithmetic_of_shapes_vanishes(tmp_path: Path) -> None:
    network = agree(tmp_path, _tail("N", 6, 8))
    assert _children(network) == ["conv", "turn", "rows"]
    assert network.outputs[0].shape == (1, 96, 2)
    assert network.operators["Shape"] == 1


def test_open_sizes_need_a_size_and_take_any(tmp_path: Path) -> None:
    made = _tail("N", "H", "W")
    for size in ((6, 8), (10, 4)):
        network = agree(tmp_path, made, size)
        assert network.inputs[0].shape == (1, *size, 3)
    with pytest.raises(ConfigError, match="without a size"):
        open_bytes(tmp_path, made)


def test_float_arithmetic_of_sizes_vanishes(tmp_path: Path) -> None:
    """Old exporters compute the sizes of an upsampling with casts and floors."""
    nodes = [
        node("Shape", ["x"], ["s"]),
        node("Slice", ["s", "two", "four"], ["hw"]),
        node("Cast", ["hw"], ["real"], to=1),
        node("Mul", ["real", "scale"], ["grown"]),
        node("Floor", ["grown"], ["floored"]),
        node("Cast", ["floored"], ["sizes"], to=7),
        node("Slice", ["s", "none", "two"], ["nc"]),
        node("Concat", ["nc", "sizes"], ["all"], axis=0),
        node(
            "Resize",
            ["x", "", "", "all"],
            ["y"],
            name="up",
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        ),
    ]
    constants = [tensor(n, [v], _INT) for n, v in (("two", 2), ("four", 4), ("none", 0))]
    made = model(nodes, {"x": (1, 3, "H", "W")}, ["y"], [*constants, tensor("scale", [2.0])])
    assert _children(agree(tmp_path, made, (5, 6))) == ["up"]


def test_masks_and_ranges_fold(tmp_path: Path) -> None:
    nodes = [
        node("Range", ["zero", "six", "one"], ["r"]),
        node("Mod", ["r", "two"], ["odd"]),
        node("Equal", ["odd", "zero"], ["even"]),
        node("Not", ["even"], ["uneven"]),
        node("Or", ["even", "uneven"], ["either"]),
        node("And", ["either", "even"], ["both"]),
        node("Less", ["r", "six"], ["less"]),
        node("GreaterOrEqual", ["r", "two"], ["ge"]),
        node("Xor", ["less", "ge"], ["xor"]),
        node("Where", ["both", "a", "b"], ["w"]),
        node("Where", ["xor", "w", "a"], ["w2"]),
        node("ConstantOfShape", ["count"], ["ones"], value=tensor("v", [3.0])),
        node("Size", ["x"], ["size"]),
        node("Cast", ["size"], ["real"], to=1),
        node("ReduceProd", ["ones"], ["product"], keepdims=0),
        node("Mul", ["w2", "ones"], ["wo"]),
        node("Div", ["wo", "real"], ["wd"]),
        node("Add", ["wd", "product"], ["wp"]),
        node("Round", ["wp"], ["wr"]),
        node("Ceil", ["wr"], ["wc"]),
        node("Sign", ["wc"], ["ws"]),
        node("Greater", ["r", "two"], ["g"]),
        node("LessOrEqual", ["r", "two"], ["le"]),
        node("Equal", ["g", "le"], ["never"]),
        node("Where", ["never", "a", "wp"], ["w3"]),
        node("Add", ["x", "w3"], ["p"], name="sum"),
        node("Mul", ["p", "ws"], ["y"], name="product"),
    ]
    constants = [tensor(n, v, _INT) for n, v in (("zero", 0), ("six", 6), ("one", 1), ("two", 2))]
    constants += [tensor("count", [6], _INT), tensor("a", np.arange(6.0)), tensor("b", 9.5)]
    made = model(nodes, {"x": (1, 6)}, ["y"], constants)
    assert _children(agree(tmp_path, made)) == ["sum", "product"]


def test_a_mask_that_is_written_piece_by_piece_folds(tmp_path: Path) -> None:
    """As shifted windows number their regions (Liu et al., 2021)."""
    nodes = [
        node("ConstantOfShape", ["size"], ["blank"], value=tensor("v", [0.0])),
        node("ScatterND", ["blank", "at", "marks"], ["mask"]),
        node("CumSum", ["mask", "one"], ["sums"]),
        node("CumSum", ["mask", "one"], ["behind"], exclusive=1, reverse=1),
        node("Trilu", ["sums", "one"], ["upper"], upper=1),
        node("Trilu", ["behind"], ["lower"], upper=0),
        node("Add", ["upper", "lower"], ["both"]),
        node("Add", ["x", "both"], ["y"], name="sum"),
    ]
    constants = [
        tensor("size", [4, 4], _INT), tensor("one", 1, _INT),
        tensor("at", [[[0, 1], [2, 2]], [[3, 0], [1, -1]]], _INT),
        tensor("marks", [[1.0, 2.0], [3.0, 4.0]]),
    ]  # fmt: skip
    made = model(nodes, {"x": (4, 4)}, ["y"], constants, opset=14)
    assert _children(agree(tmp_path, made)) == ["sum"]


def test_what_only_folds_is_refused_on_live_values(tmp_path: Path) -> None:
    made = model([node("Floor", ["x"], ["y"], name="cut")], {"x": (1, 3)}, ["y"])
    with pytest.raises(ConfigError, match=r"'cut'.*constant"):
        open_bytes(tmp_path, made)


def test_outputs_are_floats(tmp_path: Path) -> None:
    made = model([node("Greater", ["x", "x"], ["y"])], {"x": (1, 3)}, ["y"])
    with pytest.raises(ConfigError, match="'y' is not float32"):
        open_bytes(tmp_path, made)


def test_old_files_list_weights_as_inputs(tmp_path: Path) -> None:
    made = model(
        [node("Add", ["x", "w"], ["y"])], {"x": (1, 3), "w": (3,)}, ["y"], [tensor("w", [1, 2, 3])]
    )
    assert [t.name for t in agree(tmp_path, made).inputs] == ["x"]


def test_several_inputs_and_outputs_keep_their_order_and_layout(tmp_path: Path) -> None:
    nodes = [
        node("Conv", ["picture", "w"], ["map"]),
        node("Mul", ["map", "mask"], ["masked"]),
        node("Add", ["masked", "features"], ["sum"]),
        node("GlobalAveragePool", ["sum"], ["pooled"]),
    ]
    inputs = {
        "unused": (1, 9),
        "features": (1, 5, 1, 1),
        "mask": (1, 1, 6, 7),
        "picture": ("N", 3, 6, 7),
    }
    made = model(nodes, inputs, ["pooled", "map"], [tensor("w", np.ones((5, 3, 1, 1)))])
    made.graph.input.pop(0)
    network = agree(tmp_path, made)
    assert [(t.name, t.shape, t.turned) for t in network.inputs] == [
        ("features", (1, 5, 1, 1), False),
        ("mask", (1, 6, 7, 1), True),
        ("picture", (1, 6, 7, 3), True),
    ]
    assert [(t.name, t.shape) for t in network.outputs] == [
        ("pooled", (1, 5, 1, 1)),
        ("map", (1, 5, 6, 7)),
    ]


def test_pictures_with_channels_last_stay_as_they_are(tmp_path: Path) -> None:
    nodes = [node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2]), node("Conv", ["t", "w"], ["y"])]
    made = model(nodes, {"x": ("N", "H", "W", 3)}, ["y"], [tensor("w", np.ones((2, 3, 1, 1)))])
    network = agree(tmp_path, made, (5, 6))
    assert network.inputs[0].shape == (1, 5, 6, 3) and not network.inputs[0].turned


def test_half_precision_is_read_as_single(tmp_path: Path) -> None:
    made = model(
        [node("Mul", ["x", "w"], ["y"])],
        {"x": (1, 3)},
        ["y"],
        [tensor("w", [1.5, 2, 3], np.float16)],
    )
    made.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT16
    network = open_bytes(tmp_path, made)
    (found,) = results(network, [np.float32([[1, 2, 3]])])
    assert found.dtype == np.float32
    assert found.tolist() == [[1.5, 4, 9]]


@pytest.mark.parametrize("kind", [TensorProto.DOUBLE, TensorProto.BFLOAT16, TensorProto.FLOAT16])
def test_every_kind_of_float_reads_the_same(kind: int, tmp_path: Path) -> None:
    weight = helper.make_tensor("w", kind, [4], [1.5, -2.0, 0.25, 96.0])
    network = open_bytes(
        tmp_path, model([node("Mul", ["x", "w"], ["y"])], {"x": (1, 4)}, ["y"], [weight])
    )
    assert results(network, [np.ones((1, 4), np.float32)])[0].tolist() == [[1.5, -2.0, 0.25, 96.0]]


def test_infinite_constants_that_are_computed_are_refused(tmp_path: Path) -> None:
    made = model(
        [node("Div", ["one", "zero"], ["inf"]), node("Mul", ["x", "inf"], ["y"], name="times")],
        {"x": (1, 3)},
        ["y"],
        [tensor("one", [1.0]), tensor("zero", [0.0])],
    )
    with pytest.raises(DataError, match=r"'times'.*'inf'"):
        open_bytes(tmp_path, made)


def test_gelu_and_hard_swish_are_put_together(tmp_path: Path) -> None:
    scalars = {"root": 2**0.5, "one": 1.0, "half": 0.5, "three": 3.0, "zero": 0.0, "six": 6.0}
    constants = [tensor(name, value) for name, value in scalars.items()]
    nodes = [
        node("Div", ["x", "root"], ["a"]),
        node("Erf", ["a"], ["b"]),
        node("Add", ["b", "one"], ["c"]),
        node("Mul", ["x", "c"], ["d"]),
        node("Mul", ["d", "half"], ["gelu"], name="gelu"),
        node("Add", ["gelu", "three"], ["e"]),
        node("Clip", ["e", "zero", "six"], ["f"]),
        node("Div", ["f", "six"], ["g"]),
        node("Mul", ["gelu", "g"], ["swish"], name="swish"),
        node("HardSigmoid", ["swish"], ["h"], alpha=1 / 6, beta=0.5),
        node("Mul", ["h", "swish"], ["y"], name="again"),
    ]
    network = agree(tmp_path, model(nodes, {"x": (1, 6, 5, 4)}, ["y"], constants))
    assert _children(network) == ["gelu", "swish", "again"]
    scalars["six"] = 5.0
    constants = [tensor(name, value) for name, value in scalars.items()]
    other = agree(tmp_path, model(nodes, {"x": (1, 6, 5, 4)}, ["y"], constants))
    assert len(_children(other)) > 3


@pytest.mark.parametrize(
    "product",
    [
        [("x", "c", "d"), ("d", "half", "y")],
        [("c", "x", "d"), ("half", "d", "y")],
        [("c", "half", "d"), ("x", "d", "y")],
        [("half", "x", "d"), ("d", "c", "y")],
    ],
)
@pytest.mark.parametrize("scaled", ["Div", "Mul"])
def test_gelu_is_found_in_any_order(product: Any, scaled: str, tmp_path: Path) -> None:
    nodes = [
        node(scaled, ["x", "root"], ["a"]),
        node("Erf", ["a"], ["b"]),
        node("Add", ["one", "b"], ["c"]),
        *(node("Mul", [left, right], [made], name=made) for left, right, made in product),
    ]
    root = 2**0.5 if scaled == "Div" else 0.5**0.5
    constants = [tensor("root", root), tensor("one", 1.0), tensor("half", [0.5])]
    network = agree(tmp_path, model(nodes, {"x": (1, 6)}, ["y"], constants))
    assert _children(network) == ["y"]
    assert network.operators["Erf"] == 1


def test_a_shuffle_of_channels_is_one_step(tmp_path: Path) -> None:
    nodes = [
        node("Reshape", ["x", "five"], ["a"]),
        node("Transpose", ["a"], ["b"], perm=[0, 2, 1, 3, 4]),
        node("Reshape", ["b", "four"], ["y"], name="shuffle"),
    ]
    constants = [tensor("five", [1, 2, 5, 3, 4], _INT), tensor("four", [1, -1, 3, 4], _INT)]
    network = agree(tmp_path, model(nodes, {"x": (1, 10, 3, 4)}, ["y"], constants))
    assert _children(network) == ["shuffle"]


@pytest.mark.parametrize("op", ["Gemm", "MatMul"])
def test_weights_are_turned_instead_of_a_picture(op: str, tmp_path: Path) -> None:
    weight = np.random.default_rng(0).normal(size=(60, 7))
    nodes = [node("Flatten", ["x"], ["f"]), node(op, ["f", "w"], ["y"], name="full")]
    network = agree(tmp_path, model(nodes, {"x": (1, 5, 3, 4)}, ["y"], [tensor("w", weight)]))
    assert _children(network) == ["full"]


def test_a_border_goes_into_the_convolution(tmp_path: Path) -> None:
    nodes = [
        node("Pad", ["x", "p"], ["a"]),
        node("Conv", ["a", "w"], ["y"], name="conv", pads=[1, 0, 0, 0], strides=[2, 2]),
    ]
    constants = [tensor("p", [0, 0, 0, 1, 0, 0, 1, 1], _INT), tensor("w", np.ones((2, 3, 3, 3)))]
    network = agree(tmp_path, model(nodes, {"x": (1, 3, 8, 9)}, ["y"], constants))
    assert _children(network) == ["conv"]


def test_names_of_nodes_become_names_of_children(tmp_path: Path) -> None:
    nodes = [
        node("Relu", ["x"], ["a"], name="/body/act.1/Relu"),
        node("Relu", ["a"], ["b"], name="/body/act_1/Relu"),
        node("Relu", ["b"], ["c"], name="forward"),
        node("Relu", ["c"], ["y"]),
    ]
    network = agree(tmp_path, model(nodes, {"x": (1, 3)}, ["y"]))
    assert _children(network) == ["/body/act_1/Relu", "/body/act_1/Relu_2", "forward_2", "y"]
