"""Small TFLite networks of one operator each, by its name and what is special in it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.export import onnx_writer_builders as make
from tests.export.onnx_writer_kit import Bench

__all__ = ["CASES"]

#: Name of the case, which begins with the operator; its network.
CASES: dict[str, Callable[[Bench], list[int]]] = {
    "ABS": make.one("ABS"),
    "ADD": make.two("ADD", "AddOptions", fusedActivationFunction=make.RELU6),
    "AVERAGE_POOL_2D same": make.pool("AVERAGE_POOL_2D", make.SAME, (4, 3)),
    "AVERAGE_POOL_2D valid": make.pool("AVERAGE_POOL_2D", make.VALID, (3, 3)),
    "BATCH_MATMUL": make.matrix_product(False, False),
    "BATCH_MATMUL both turned": make.matrix_product(True, True),
    "BATCH_TO_SPACE_ND": make.dilated((2, 2), [[2, 2], [2, 2]], [[0, 0], [0, 0]]),
    "BATCH_TO_SPACE_ND uneven": make.dilated((3, 5), [[3, 5], [5, 8]], [[0, 2], [0, 3]]),
    "BATCH_TO_SPACE_ND same": make.dilated((2, 2), [[0, 0]] * 2, [[0, 0]] * 2, inner=make.SAME),
    "SPACE_TO_BATCH_ND depthwise": make.dilated((2, 2), [[2, 2]] * 2, [[0, 0]] * 2, depthwise=True),
    "BROADCAST_TO": make.broadcast,
    "CAST": make.cast,
    "CEIL": make.one("CEIL"),
    "CONCATENATION channels": make.concat(3),
    "CONCATENATION rows": make.concat(1),
    "CONV_2D same": make.conv(shape=(1, 6, 5, 6), strideH=2, strideW=2),
    "CONV_2D valid": make.conv(
        shape=(1, 9, 7, 6), padding=make.VALID, fusedActivationFunction=make.RELU
    ),
    "CONV_2D dilated": make.conv(shape=(1, 11, 9, 6), dilationHFactor=2, dilationWFactor=3),
    "CONV_2D grouped": make.conv(shape=(1, 11, 9, 6), groups=2, fusedActivationFunction=make.RELU6),
    "CONV_2D clipped": make.conv(shape=(1, 11, 9, 6), fusedActivationFunction=make.RELU_N1_TO_1),
    "DEPTHWISE_CONV_2D": make.depthwise(1),
    "DEPTHWISE_CONV_2D widening": make.depthwise(2),
    "DEPTH_TO_SPACE": make.blocks("DEPTH_TO_SPACE", "DepthToSpaceOptions", (1, 8, 12, 2)),
    "COS": make.one("COS"),
    "DEQUANTIZE": make.dequantize,
    "DIV": make.two("DIV", "DivOptions"),
    "ELU": make.one("ELU"),
    "EQUAL": make.compared("EQUAL"),
    "EXP": make.one("EXP"),
    "EXPAND_DIMS": make.expand,
    "FLOOR": make.one("FLOOR"),
    "FULLY_CONNECTED": make.dense((3, 6), keep=False),
    "FULLY_CONNECTED flattening": make.dense((2, 3, 6), keep=False),
    "FULLY_CONNECTED keeping": make.dense((2, 3, 6), keep=True),
    "FULLY_CONNECTED of a picture": make.dense_of_picture,
    "FULLY_CONNECTED of rows": make.dense_of_rows,
    "GATHER channels": make.gather([2, 0, 2], 3, (1, 5, 6, 3)),
    "GATHER one row": make.gather(1, 1, (1, 6, 4)),
    "GATHER_ND": make.gather_nd([[3], [0], [0], [4]], (4, 6, 4)),
    "GATHER_ND points": make.gather_nd([[3, 1], [0, 5]], (2, 4)),
    "GELU": make.one("GELU", "GeluOptions"),
    "GELU approximate": make.one("GELU", "GeluOptions", approximate=True),
    "GREATER": make.compared("GREATER"),
    "GREATER_EQUAL": make.compared("GREATER_EQUAL"),
    "HARD_SWISH": make.one("HARD_SWISH"),
    "L2_NORMALIZATION": make.one("L2_NORMALIZATION", "L2NormOptions"),
    "LEAKY_RELU": make.one("LEAKY_RELU", "LeakyReluOptions", alpha=0.2),
    "LESS": make.compared("LESS"),
    "LESS_EQUAL": make.compared("LESS_EQUAL"),
    "LOG": make.on_positive("LOG"),
    "LOGICAL_AND": make.compared("LOGICAL_AND"),
    "LOGICAL_NOT": make.compared("LOGICAL_NOT"),
    "LOGICAL_OR": make.compared("LOGICAL_OR"),
    "LOGISTIC": make.one("LOGISTIC"),
    "LOG_SOFTMAX": make.one("LOG_SOFTMAX", "LogSoftmaxOptions"),
    "MAXIMUM": make.two("MAXIMUM"),
    "MAX_POOL_2D same": make.pool("MAX_POOL_2D", make.SAME, (4, 3)),
    "MAX_POOL_2D valid": make.pool("MAX_POOL_2D", make.VALID, (3, 3)),
    "MEAN picture": make.reduce("MEAN", (1, 2), keep=False),
    "MEAN kept": make.reduce("MEAN", (-3, -2), keep=True),
    "MEAN rows": make.reduce("MEAN", (1,), keep=False),
    "MINIMUM": make.two("MINIMUM"),
    "MIRROR_PAD": make.pad("MIRROR_PAD", [], options="MirrorPadOptions", mode=0),
    "MIRROR_PAD edge": make.pad("MIRROR_PAD", [], options="MirrorPadOptions", mode=1),
    "MUL": make.two("MUL", "MulOptions"),
    "NEG": make.one("NEG"),
    "NOT_EQUAL": make.compared("NOT_EQUAL"),
    "PACK": make.pack,
    "PAD": make.pad("PAD", []),
    "PADV2": make.pad("PADV2", [np.array(2.5, np.float32)]),
    "POW": make.two("POW"),
    "PRELU": make.prelu,
    "REDUCE_MAX": make.reduce("REDUCE_MAX", (3,), keep=False),
    "REDUCE_MIN": make.reduce("REDUCE_MIN", (1, 3), keep=False),
    "RELU": make.one("RELU"),
    "RELU6": make.one("RELU6"),
    "RELU_0_TO_1": make.one("RELU_0_TO_1"),
    "RELU_N1_TO_1": make.one("RELU_N1_TO_1"),
    "RESHAPE": make.reshape,
    "RESIZE_BILINEAR": make.resize("RESIZE_BILINEAR", (9, 7)),
    "RESIZE_BILINEAR corners": make.resize("RESIZE_BILINEAR", (9, 7), alignCorners=True),
    "RESIZE_BILINEAR half": make.resize("RESIZE_BILINEAR", (10, 3), halfPixelCenters=True),
    "RESIZE_NEAREST_NEIGHBOR": make.resize("RESIZE_NEAREST_NEIGHBOR", (7, 9)),
    "RESIZE_NEAREST_NEIGHBOR corners": make.resize(
        "RESIZE_NEAREST_NEIGHBOR", (8, 7), alignCorners=True
    ),
    "RESIZE_NEAREST_NEIGHBOR half": make.resize(
        "RESIZE_NEAREST_NEIGHBOR", (7, 3), halfPixelCenters=True
    ),
    "RESIZE_NEAREST_NEIGHBOR double": make.resize(
        "RESIZE_NEAREST_NEIGHBOR", (10, 8), halfPixelCenters=True
    ),
    "REVERSE_V2": make.reverse(3),
    "REVERSE_V2 rows": make.reverse(1, -2),
    "ROUND": make.one("ROUND"),
    "RSQRT": make.on_positive("RSQRT"),
    "SELECT": make.compared("SELECT"),
    "SELECT_V2": make.compared("SELECT_V2"),
    "SHAPE": make.shaped,
    "SIGN": make.one("SIGN"),
    "SIN": make.one("SIN"),
    "SLICE": make.sliced,
    "SOFTMAX": make.one("SOFTMAX", "SoftmaxOptions", beta=0.5),
    "SPACE_TO_DEPTH": make.blocks("SPACE_TO_DEPTH", "SpaceToDepthOptions", (1, 2, 3, 32)),
    "SPLIT": make.split,
    "SPLIT_V": make.split_v,
    "SQRT": make.on_positive("SQRT"),
    "SQUARE": make.one("SQUARE"),
    "SQUARED_DIFFERENCE": make.two("SQUARED_DIFFERENCE"),
    "SQUEEZE": make.squeeze,
    "STRIDED_SLICE": make.strided((0, 1, 0, 0), (1, 5, 6, 4), (1, 2, 1, 3), (1, 2, 6, 2)),
    "STRIDED_SLICE masked": make.strided(
        (0, 9, 2, -2), (1, 0, 0, 0), (1, 1, 1, 1), (1, 5, 4, 2), beginMask=2, endMask=14
    ),
    "STRIDED_SLICE backwards": make.strided(
        (0, 0, -1, 0), (1, 5, -9, 4), (1, 1, -2, 1), (1, 5, 3, 4), beginMask=11, endMask=15
    ),
    "STRIDED_SLICE one channel": make.strided(
        (0, 0, 0, -1), (1, 5, 6, 0), (1, 1, 1, 1), (1, 5, 6), shrinkAxisMask=8
    ),
    "SUB": make.two("SUB", "SubOptions"),
    "SUM": make.reduce("SUM", (2,), keep=True),
    "TANH": make.one("TANH"),
    "TILE": make.tile,
    "TRANSPOSE nchw": make.transpose(0, 3, 1, 2),
    "TRANSPOSE nwch": make.transpose(0, 2, 3, 1),
    "TRANSPOSE turned": make.transpose(0, 2, 1, 3),
    "TRANSPOSE_CONV same": make.transpose_conv(3, 2, make.SAME, (10, 8)),
    "TRANSPOSE_CONV odd": make.transpose_conv(3, 2, make.SAME, (9, 7)),
    "TRANSPOSE_CONV valid": make.transpose_conv(4, 2, make.VALID, (12, 10)),
    "TRANSPOSE_CONV wide step": make.transpose_conv(2, 3, make.SAME, (15, 12)),
    "UNPACK": make.unpack,
}
