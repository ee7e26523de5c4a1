"""Networks of one operator each: the operators of the table over their attributes and versions."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.export.onnx_import.makers import model, node, tensor

__all__ = ["CASES", "FEATURES", "PICTURE", "of_one", "random"]

_INT = np.int64
_RNG = np.random.default_rng(7)


def random(*shape: int) -> np.ndarray[Any, Any]:
    return _RNG.normal(0, 0.5, shape).astype(np.float32)


def _conv(
    shape: tuple[int, ...], weight: tuple[int, ...], *, opset: int = 13, **attributes: Any
) -> Any:
    made = node("Conv", ["x", "w", "b"], ["y"], **attributes)
    return model(
        [made],
        {"x": shape},
        ["y"],
        [tensor("w", random(*weight)), tensor("b", random(weight[0]))],
        opset=opset,
    )


def _conv_transpose(weight: tuple[int, ...], bias: bool = True, **attributes: Any) -> Any:
    groups = attributes.get("group", 1)
    names = ["x", "w", "b"][: 3 if bias else 2]
    constants = [tensor("w", random(*weight)), tensor("b", random(weight[1] * groups))]
    return model(
        [node("ConvTranspose", names, ["y"], **attributes)],
        {"x": (1, weight[0], 5, 6)},
        ["y"],
        constants,
    )


def of_one(
    op: str,
    shape: tuple[int, ...],
    constants: dict[str, Any] | None = None,
    *,
    opset: int = 13,
    before: str = "",
    outputs: tuple[str, ...] = ("y",),
    **attributes: Any,
) -> Any:
    """Make a network of one operator; constants that are arrays of ints stay that."""
    nodes, first = [], "x"
    if before:
        nodes.append(node(before, ["x"], ["before"]))
        first = "before"
    stored = [
        tensor(name, value, _INT if np.asarray(value).dtype.kind == "i" else np.float32)
        for name, value in (constants or {}).items()
        if name and value is not None
    ]
    names = [first, *("" if v is None else k for k, v in (constants or {}).items())]
    nodes.append(node(op, names, list(outputs), **attributes))
    return model(nodes, {"x": shape}, list(outputs), stored, opset=opset)


PICTURE = (1, 3, 9, 8)
FEATURES = (1, 6, 5, 7)

CASES: dict[str, Any] = {
    "conv": _conv(PICTURE, (4, 3, 3, 3), pads=[1, 1, 1, 1]),
    "conv stride": _conv(PICTURE, (4, 3, 3, 3), pads=[1, 1, 1, 1], strides=[2, 2]),
    "conv uneven pads": _conv(PICTURE, (4, 3, 3, 3), pads=[0, 1, 1, 2], strides=[2, 1]),
    "conv grouped": _conv(FEATURES, (4, 3, 3, 3), group=2, kernel_shape=[3, 3]),
    "conv depthwise": _conv(FEATURES, (6, 1, 3, 3), group=6, pads=[1, 1, 1, 1]),
    "conv depthwise multiplied": _conv(FEATURES, (12, 1, 3, 3), group=6),
    "conv dilated": _conv(PICTURE, (4, 3, 3, 3), dilations=[2, 3], pads=[2, 3, 2, 3]),
    "conv same upper": _conv(PICTURE, (4, 3, 4, 3), auto_pad="SAME_UPPER", strides=[2, 3]),
    "conv same lower": _conv(PICTURE, (4, 3, 4, 3), auto_pad="SAME_LOWER", strides=[2, 3]),
    "conv valid": _conv(PICTURE, (4, 3, 3, 3), auto_pad="VALID", opset=11),
    "conv 1-D": _conv((1, 5, 12), (4, 5, 3), pads=[1, 1], strides=[2]),
    "conv 1-D uneven": _conv((1, 5, 12), (4, 5, 3), pads=[0, 2]),
    "conv transpose": _conv_transpose((6, 4, 2, 2), strides=[2, 2]),
    "conv transpose same": _conv_transpose((6, 4, 4, 4), strides=[2, 2], pads=[1, 1, 1, 1]),
    "conv transpose cut": _conv_transpose(
        (6, 4, 3, 3), strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1]
    ),
    "conv transpose uneven": _conv_transpose((6, 4, 3, 3), strides=[2, 1], pads=[0, 1, 1, 0]),
    "conv transpose grown": _conv_transpose((6, 4, 2, 2), strides=[3, 3], output_padding=[2, 1]),
    "conv transpose dilated": _conv_transpose((6, 4, 3, 3), strides=[2, 2], dilations=[2, 2]),
    "conv transpose stride 1": _conv_transpose((6, 4, 3, 3), False, pads=[1, 1, 1, 1]),
    "conv transpose groups": _conv_transpose(
        (6, 2, 3, 3), strides=[2, 2], group=2, pads=[1, 1, 1, 1]
    ),
    "conv transpose depthwise": _conv_transpose(
        (6, 1, 4, 4), strides=[2, 2], group=6, pads=[1, 1, 1, 1]
    ),
    "conv transpose wide stride": _conv_transpose(
        (6, 1, 2, 2), strides=[3, 3], group=6, output_padding=[1, 0]
    ),
    "conv transpose output shape": _conv_transpose(
        (6, 4, 3, 3), strides=[2, 2], output_shape=[10, 12]
    ),
    "conv transpose same upper": _conv_transpose(
        (6, 4, 3, 3), strides=[2, 2], auto_pad="SAME_UPPER"
    ),
    "conv transpose same lower": _conv_transpose(
        (6, 4, 3, 3), strides=[2, 2], auto_pad="SAME_LOWER"
    ),
    "batch norm": of_one(
        "BatchNormalization",
        FEATURES,
        {"s": random(6), "b": random(6), "m": random(6), "v": np.abs(random(6)) + 0.1},
        epsilon=1e-3,
    ),
    "batch norm of rows": of_one(
        "BatchNormalization",
        (1, 6),
        {"s": random(6), "b": random(6), "m": random(6), "v": np.abs(random(6)) + 0.1},
        opset=9,
    ),
    "instance norm": of_one(
        "InstanceNormalization", FEATURES, {"s": random(6), "b": random(6)}, epsilon=1e-3
    ),
    "instance norm 1-D": of_one(
        "InstanceNormalization", (1, 6, 11), {"s": random(6), "b": random(6)}
    ),
    "layer norm": of_one(
        "LayerNormalization", (1, 5, 8), {"s": random(8), "b": random(8)}, opset=17
    ),
    "layer norm of more": of_one(
        "LayerNormalization", FEATURES, {"s": random(5, 7)}, opset=17, axis=-2
    ),
    "clip attributes": of_one("Clip", FEATURES, opset=9, min=-0.5, max=1.0),
    "clip 6": of_one("Clip", FEATURES, {"a": np.float32(0), "b": np.float32(6)}),
    "clip below": of_one("Clip", FEATURES, {"a": np.float32(0)}, opset=11),
    "clip above": of_one("Clip", FEATURES, {"": None, "b": np.float32(0.5)}),
    "clip nothing": of_one("Clip", FEATURES),
    "clip infinite": of_one("Clip", FEATURES, {"a": np.float32(0), "b": np.float32(np.inf)}),
    "prelu small": of_one("PRelu", FEATURES, {"s": np.linspace(-0.5, 1, 6).reshape(6, 1, 1)}),
    "prelu large": of_one("PRelu", FEATURES, {"s": np.linspace(1, 3, 6).reshape(6, 1, 1)}),
    "prelu mixed": of_one("PRelu", FEATURES, {"s": np.linspace(-2, 3, 6).reshape(6, 1, 1)}),
    "prelu one": of_one("PRelu", FEATURES, {"s": np.float32([0.25])}, opset=9),
    "prelu of rows": of_one("PRelu", (1, 6), {"s": np.linspace(0, 1, 6)}),
    "leaky relu": of_one("LeakyRelu", FEATURES, alpha=0.2),
    "leaky relu default": of_one("LeakyRelu", FEATURES),
    "elu": of_one("Elu", FEATURES, alpha=0.7),
    "selu": of_one("Selu", FEATURES),
    "selu set": of_one("Selu", FEATURES, alpha=1.2, gamma=0.9),
    "celu": of_one("Celu", FEATURES, alpha=0.6),
    "thresholded relu": of_one("ThresholdedRelu", FEATURES, alpha=0.4),
    "hard sigmoid": of_one("HardSigmoid", FEATURES),
    "hard sigmoid sixth": of_one("HardSigmoid", FEATURES, alpha=1 / 6, beta=0.5),
    "hard swish": of_one("HardSwish", FEATURES, opset=14),
    "mish": of_one("Mish", FEATURES, opset=18),
    "gelu": of_one("Gelu", FEATURES, opset=20),
    "gelu tanh": of_one("Gelu", FEATURES, opset=20, approximate="tanh"),
    **{
        op.lower(): of_one(op, FEATURES)
        for op in (
            "Relu",
            "Sigmoid",
            "Tanh",
            "Softplus",
            "Softsign",
            "Sin",
            "Cos",
            "Erf",
            "Neg",
            "Abs",
            "Exp",
            "Reciprocal",
            "GlobalAveragePool",
            "GlobalMaxPool",
            "Flatten",
            "Identity",
        )
    },
    "log": of_one("Log", FEATURES, before="Exp"),
    "sqrt": of_one("Sqrt", FEATURES, before="Abs"),
    "softmax old": of_one("Softmax", FEATURES, opset=11),
    "softmax old last": of_one("Softmax", FEATURES, opset=11, axis=-1),
    "softmax old axis 2": of_one("Softmax", FEATURES, opset=9, axis=2),
    "softmax new": of_one("Softmax", FEATURES),
    "softmax new channels": of_one("Softmax", FEATURES, axis=1),
    "log softmax old": of_one("LogSoftmax", FEATURES, opset=12),
    "log softmax new": of_one("LogSoftmax", FEATURES, axis=1),
    "global average 1-D": of_one("GlobalAveragePool", (1, 5, 7)),
    "max pool": of_one("MaxPool", PICTURE, kernel_shape=[2, 2], strides=[2, 2]),
    "max pool default stride": of_one("MaxPool", PICTURE, kernel_shape=[3, 2], opset=9),
    "max pool padded": of_one(
        "MaxPool", PICTURE, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]
    ),
    "max pool padded behind relu": of_one(
        "MaxPool", PICTURE, before="Relu", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]
    ),
    "max pool same": of_one(
        "MaxPool", PICTURE, kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER"
    ),
    "max pool same lower": of_one(
        "MaxPool", PICTURE, kernel_shape=[2, 2], strides=[1, 1], auto_pad="SAME_LOWER"
    ),
    "max pool uneven": of_one(
        "MaxPool", PICTURE, kernel_shape=[3, 3], strides=[2, 2], pads=[0, 1, 1, 0]
    ),
    "max pool ceil": of_one(
        "MaxPool", (1, 3, 10, 7), kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1
    ),
    "max pool ceil padded": of_one(
        "MaxPool",
        (1, 3, 10, 7),
        kernel_shape=[3, 3],
        strides=[2, 2],
        pads=[1, 1, 1, 1],
        ceil_mode=1,
    ),
    "max pool ceil uneven": of_one(
        "MaxPool",
        (1, 3, 10, 7),
        kernel_shape=[2, 3],
        strides=[3, 2],
        pads=[0, 0, 1, 1],
        ceil_mode=1,
    ),
    "max pool 1-D": of_one("MaxPool", (1, 3, 10), kernel_shape=[3], strides=[2], pads=[1, 1]),
    "average pool": of_one("AveragePool", PICTURE, kernel_shape=[3, 3]),
    "average pool padded": of_one(
        "AveragePool", PICTURE, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]
    ),
    "average pool padded same": of_one(
        "AveragePool", PICTURE, kernel_shape=[3, 3], pads=[1, 1, 1, 1]
    ),
    "average pool counted": of_one(
        "AveragePool",
        PICTURE,
        kernel_shape=[3, 3],
        strides=[2, 2],
        pads=[1, 1, 1, 1],
        count_include_pad=1,
    ),
    "average pool uneven": of_one("AveragePool", PICTURE, kernel_shape=[3, 3], pads=[0, 1, 2, 0]),
    "average pool uneven counted": of_one(
        "AveragePool", PICTURE, kernel_shape=[3, 3], pads=[0, 1, 2, 0], count_include_pad=1
    ),
    "average pool same lower": of_one(
        "AveragePool", PICTURE, kernel_shape=[2, 2], strides=[2, 2], auto_pad="SAME_LOWER"
    ),
    "average pool ceil": of_one(
        "AveragePool", (1, 3, 10, 7), kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1, opset=19
    ),
    "average pool ceil counted": of_one(
        "AveragePool",
        (1, 3, 10, 7),
        kernel_shape=[3, 3],
        strides=[2, 2],
        pads=[1, 1, 1, 1],
        ceil_mode=1,
        count_include_pad=1,
        opset=19,
    ),
    "average pool 1-D": of_one("AveragePool", (1, 3, 10), kernel_shape=[3], pads=[1, 1]),
    "pad": of_one("Pad", FEATURES, {"p": [0, 0, 1, 2, 0, 0, 3, 0]}),
    "pad value": of_one("Pad", FEATURES, {"p": [0, 0, 1, 2, 0, 0, 3, 0], "v": np.float32(2.5)}),
    "pad attribute": of_one("Pad", FEATURES, opset=10, pads=[0, 0, 1, 2, 0, 0, 3, 0], value=0.5),
    "pad channels": of_one("Pad", FEATURES, {"p": [0, 0, 0, 0, 0, 3, 0, 0]}),
    "pad cut": of_one("Pad", FEATURES, {"p": [0, 0, -1, 2, 0, -2, 0, -1]}),
    "pad nothing": of_one("Pad", FEATURES, {"p": [0] * 8}),
    "pad axes": of_one("Pad", FEATURES, {"p": [1, 2, 0, 1], "": None, "a": [3, -2]}, opset=18),
    "pad reflect": of_one("Pad", FEATURES, {"p": [0, 0, 1, 2, 0, 0, 3, 0]}, mode="reflect"),
    "pad reflect channels": of_one(
        "Pad", FEATURES, {"p": [0, 2, 0, 0, 0, 0, 0, 1]}, mode="reflect"
    ),
    "pad edge": of_one("Pad", FEATURES, {"p": [0, 0, 1, 2, 0, 0, 3, 0]}, mode="edge"),
    "pad edge far": of_one("Pad", FEATURES, {"p": [0, 0, 9, 2, 0, 0, 3, 0]}, mode="edge"),
    "pad edge rows": of_one("Pad", (1, 4, 5), {"p": [0, 0, 2, 0, 1, 0]}, mode="edge"),
    "transpose": of_one("Transpose", FEATURES, perm=[0, 2, 3, 1]),
    "transpose default": of_one("Transpose", (1, 2, 5)),
    "flatten 2": of_one("Flatten", FEATURES, axis=2),
    "flatten negative": of_one("Flatten", FEATURES, opset=11, axis=-1),
    "flatten 0": of_one("Flatten", FEATURES, axis=0),
    "reshape": of_one("Reshape", FEATURES, {"s": [0, -1, 7]}),
    "reshape same": of_one("Reshape", FEATURES, {"s": [1, 6, 5, 7]}),
    "reshape allow zero": of_one("Reshape", FEATURES, {"s": [1, -1]}, opset=14, allowzero=1),
    "squeeze attribute": of_one("Squeeze", (1, 4, 1, 5), opset=11, axes=[0, 2]),
    "squeeze input": of_one("Squeeze", (1, 4, 1, 5), {"a": [-2]}),
    "squeeze all": of_one("Squeeze", (1, 4, 1, 5)),
    "unsqueeze attribute": of_one("Unsqueeze", (1, 4, 5), opset=11, axes=[1]),
    "unsqueeze input": of_one("Unsqueeze", (1, 4), {"a": [-1, 1]}),
    "expand": of_one("Expand", (1, 6, 1, 1), {"s": [1, 6, 5, 7]}),
    "expand ranks": of_one("Expand", (1, 4), {"s": [3, 1, 4]}),
    "expand nothing": of_one("Expand", FEATURES, {"s": [1]}),
    "tile": of_one("Tile", FEATURES, {"r": [1, 2, 1, 3]}),
    "tile single": of_one("Tile", (1, 6, 1, 1), {"r": [1, 1, 4, 2]}),
    "split attribute": of_one(
        "Split", FEATURES, opset=11, outputs=("y", "z"), axis=1, split=[2, 4]
    ),
    "split equal": of_one("Split", FEATURES, outputs=("y", "z", "w"), axis=1),
    "split input": of_one("Split", FEATURES, {"s": [1, 4, 2]}, outputs=("y", "z", "w"), axis=-1),
    "split number": of_one("Split", FEATURES, opset=18, outputs=("y", "z"), axis=2, num_outputs=2),
    "slice attributes": of_one(
        "Slice", FEATURES, opset=9, starts=[1, -3], ends=[100, -1], axes=[1, 3]
    ),
    "slice inputs": of_one(
        "Slice", FEATURES, {"s": [1, 0], "e": [4, 2**62], "a": [2, -1], "t": [1, 2]}
    ),
    "slice backwards": of_one(
        "Slice", FEATURES, {"s": [-1, 4], "e": [-(2**62), 0], "a": [1, 3], "t": [-1, -2]}
    ),
    "slice default axes": of_one("Slice", FEATURES, {"s": [0, 2], "e": [1, 4]}),
    "gather one": of_one("Gather", FEATURES, {"i": np.int64(2)}, axis=1),
    "gather reversed": of_one("Gather", FEATURES, {"i": [5, 4, 3, 2, 1, 0]}, axis=1),
    "gather run": of_one("Gather", FEATURES, {"i": [1, 2, 3]}, axis=2),
    "gather colours": of_one("Gather", PICTURE, {"i": [2, 1, 0]}, axis=1),
    "gather runs": of_one("Gather", FEATURES, {"i": [0, 1, 2, 3, 5]}, axis=1),
    "gather runs of five": of_one("Gather", (1, 3, 4, 4, 16), {"i": [0, 1, 2, 15]}, axis=4),
    "slice colours": of_one("Slice", PICTURE, {"s": [2], "e": [-4], "a": [1], "t": [-1]}),
    "gather scattered": of_one("Gather", FEATURES, {"i": [5, 3, 1, 0, 0, 2]}, axis=1),
    "gather scattered of five": of_one("Gather", (1, 3, 4, 4, 9), {"i": [8, 3, 1, 0, 0]}, axis=4),
    "gather scattered of rows": of_one("Gather", (1, 5, 8), {"i": [7, 3, 1, 0, 0]}, axis=2),
    "gather points": of_one("GatherND", FEATURES, {"i": [[0, 3], [0, -1], [0, 0]]}),
    "gather points of all axes": of_one("GatherND", (4, 3), {"i": [[0, 2], [3, -3]]}),
    "gather any": of_one("Gather", FEATURES, {"i": [0, -1, 2, 2]}, axis=1),
    "gather any of rows": of_one("Gather", (1, 5, 8), {"i": [3, 0, 7, 7]}, axis=2),
    "gather table": of_one("Gather", FEATURES, {"i": [[0, 3], [1, 1]]}, axis=3),
    "concat constant": model(
        [node("Concat", ["x", "c"], ["y"], axis=-3)],
        {"x": FEATURES},
        ["y"],
        [tensor("c", random(1, 2, 5, 7))],
    ),
    "depth to space": of_one("DepthToSpace", (1, 12, 3, 4), blocksize=2),
    "depth to space columns": of_one(
        "DepthToSpace", (1, 12, 3, 4), opset=11, blocksize=2, mode="CRD"
    ),
    "space to depth": of_one("SpaceToDepth", (1, 3, 6, 4), blocksize=2),
    "lp norm": of_one("LpNormalization", FEATURES, axis=1),
    "lp norm 1": of_one("LpNormalization", (1, 9), p=1),
    "dropout": of_one("Dropout", FEATURES, opset=11, ratio=0.3),
    "dropout inputs": of_one("Dropout", FEATURES, {"r": np.float32(0.4)}),
    "cast": of_one("Cast", FEATURES, to=1),
    "cast to bool and back": model(
        [
            node("Relu", ["x"], ["r"]),
            node("Cast", ["r"], ["c"], to=9),
            node("Cast", ["c"], ["y"], to=1),
        ],
        {"x": FEATURES},
        ["y"],
    ),
    "mask": model(
        [
            node("Greater", ["x", "half"], ["a"]),
            node("Less", ["x", "half"], ["b"]),
            node("Or", ["a", "b"], ["c"]),
            node("Not", ["c"], ["d"]),
            node("GreaterOrEqual", ["x", "channels"], ["e"]),
            node("LessOrEqual", ["x", "half"], ["f"]),
            node("And", ["e", "f"], ["g"]),
            node("Xor", ["g", "d"], ["h"]),
            node("Equal", ["x", "x"], ["i"]),
            node("IsNaN", ["x"], ["n"]),
            node("Xor", ["n", "i"], ["o"]),
            node("And", ["h", "o"], ["j"]),
            node("Where", ["j", "x", "channels"], ["y"]),
        ],
        {"x": FEATURES},
        ["y"],
        [tensor("half", 0.5), tensor("channels", random(6, 1, 1))],
    ),
    "gemm": of_one("Gemm", (1, 6), {"w": random(6, 4), "b": random(4)}),
    "gemm turned": of_one(
        "Gemm", (1, 6), {"w": random(4, 6), "b": random(1, 4)}, transB=1, alpha=0.5, beta=2.0
    ),
    "gemm number": of_one(
        "Gemm", (3, 6), {"w": random(4, 6), "b": np.float32(0.3)}, transB=1, opset=11
    ),
    "gemm matrix": of_one("Gemm", (3, 6), {"w": random(6, 4), "b": random(3, 4)}, beta=0.5),
    "gemm left": of_one("Gemm", (6, 3), {"w": random(6, 4)}, transA=1, opset=11),
    "matmul": of_one("MatMul", (1, 5, 6), {"w": random(6, 4)}),
    "matmul pictures": of_one("MatMul", (1, 2, 5, 6), {"w": random(6, 4)}),
    "matmul batches": of_one("MatMul", (2, 5, 6), {"w": random(2, 6, 4)}),
    "matmul vector": of_one("MatMul", (1, 6), {"w": random(6)}),
}

for _op in ("Add", "Sub", "Mul", "Div"):
    for _name, _shape in {
        "picture": FEATURES,
        "channels": (6, 1, 1),
        "row": (7,),
        "one": (),
        "ones": (1,),
    }.items():
        CASES[f"{_op.lower()} {_name}"] = of_one(_op, FEATURES, {"c": random(*_shape) + 2})
    CASES[f"{_op.lower()} from constant"] = model(
        [node("Exp", ["x"], ["e"]), node(_op, ["c", "e"], ["y"])],
        {"x": FEATURES},
        ["y"],
        [tensor("c", random(6, 1, 1))],
    )
    CASES[f"{_op.lower()} of two"] = model(
        [
            node("Exp", ["x"], ["e"]),
            node("GlobalAveragePool", ["e"], ["g"]),
            node(_op, ["x", "g"], ["y"]),
        ],
        {"x": FEATURES},
        ["y"],
    )
for _exponent in (-1.0, 0.5, 1.0, 2.0, 3.0, 1.7):
    CASES[f"pow {_exponent}"] = of_one("Pow", FEATURES, {"e": np.float32(_exponent)}, before="Exp")
for _op in ("Min", "Max", "Sum", "Mean"):
    CASES[_op.lower()] = model(
        [node(_op, ["x", "c", "d"], ["y"])],
        {"x": FEATURES},
        ["y"],
        [tensor("c", random(6, 1, 1)), tensor("d", random())],
    )
    CASES[f"{_op.lower()} one"] = of_one(_op, FEATURES)
for _op in (
    "ReduceMean",
    "ReduceSum",
    "ReduceMax",
    "ReduceMin",
    "ReduceL1",
    "ReduceL2",
    "ReduceSumSquare",
    "ReduceLogSumExp",
):
    _old = 11 if _op == "ReduceSum" else 13
    _new = 13 if _op == "ReduceSum" else 18
    CASES[f"{_op} attribute"] = of_one(_op, FEATURES, opset=_old, axes=[2, -1], keepdims=0)
    CASES[f"{_op} channels"] = of_one(_op, FEATURES, opset=_old, axes=[1])
    CASES[f"{_op} input"] = of_one(_op, FEATURES, {"a": [-2, 3]}, opset=_new, keepdims=1)
    CASES[f"{_op} all"] = of_one(_op, (1, 4, 5), opset=_new)
    CASES[f"{_op} nothing"] = of_one(_op, FEATURES, opset=_new, noop_with_empty_axes=1)
for _op, _axes in (("ReduceMax", [1]), ("ReduceMean", [2, 3])):
    CASES[f"{_op} and its axes again"] = model(
        [
            node(_op, ["x"], ["d"], axes=_axes, keepdims=0),
            node("Unsqueeze", ["d", "a"], ["k"]),
            node("Sub", ["x", "k"], ["y"]),
        ],
        {"x": FEATURES},
        ["y", "d"],
        [tensor("a", _axes, _INT)],
    )
CASES["expand and multiply"] = model(
    [
        node("GlobalAveragePool", ["x"], ["g"]),
        node("Expand", ["g", "s"], ["e"]),
        node("Mul", ["x", "e"], ["y"]),
        node("Expand", ["g", "s"], ["f"]),
        node("Add", ["e", "f"], ["z"]),
    ],
    {"x": FEATURES},
    ["y", "z"],
    [tensor("s", FEATURES, _INT)],
)
CASES["reduce log sum"] = of_one("ReduceLogSum", FEATURES, before="Exp", axes=[1])
for _size in (3, 5):
    CASES[f"local response {_size}"] = of_one("LRN", FEATURES, size=_size, alpha=0.3, bias=1.5)
for _opset, _count in ((18, 3), (21, 6)):
    CASES[f"group norm {_opset}"] = of_one(
        "GroupNormalization",
        FEATURES,
        {"s": random(_count), "b": random(_count)},
        opset=_opset,
        num_groups=3,
        epsilon=1e-3,
    )
