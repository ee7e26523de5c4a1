"""Make small TFLite networks of one operator each; ``onnx_writer_cases`` says with what.

Each gives, or is, a function that puts the network on a bench and returns its outputs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.export.onnx_writer_kit import Bench

__all__ = [
    "RELU",
    "RELU6",
    "RELU_N1_TO_1",
    "SAME",
    "TANH",
    "VALID",
    "blocks",
    "broadcast",
    "cast",
    "compared",
    "concat",
    "conv",
    "dense",
    "dense_of_picture",
    "dense_of_rows",
    "depthwise",
    "dequantize",
    "dilated",
    "expand",
    "gather",
    "gather_nd",
    "matrix_product",
    "on_positive",
    "one",
    "pack",
    "pad",
    "picture",
    "pool",
    "positive",
    "prelu",
    "real",
    "reduce",
    "reshape",
    "resize",
    "reverse",
    "shaped",
    "sliced",
    "split",
    "split_v",
    "squeeze",
    "strided",
    "tile",
    "transpose",
    "transpose_conv",
    "two",
    "unpack",
    "whole",
]

SAME, VALID = 0, 1
RELU, RELU_N1_TO_1, RELU6, TANH = 1, 2, 3, 4
_HALF = np.float16


def real(*shape: int) -> Any:
    return np.random.default_rng(shape).normal(size=shape).astype(np.float32)


def whole(*values: Any) -> Any:
    return np.array(values, np.int32)


def positive(m: Bench, x: int) -> int:
    return m.node("EXP", [m.node("TANH", [x], m.shape(x))], m.shape(x))


def picture(m: Bench, *shape: int) -> int:
    """Return a picture that is channels first inside, because a convolution made it."""
    x = m.input(*shape)
    weight = real(shape[3], 3, 3, shape[3]) / 6
    return m.conv(x, weight, real(shape[3]))


def one(op: str, options: str = "", **fields: Any) -> Callable[[Bench], list[int]]:
    """Return a network with one operator of one picture."""

    def build(m: Bench) -> list[int]:
        x = picture(m, 1, 5, 6, 4)
        return [m.node(op, [x], m.shape(x), options=options, **fields)]

    return build


def on_positive(op: str) -> Callable[[Bench], list[int]]:
    def build(m: Bench) -> list[int]:
        x = positive(m, picture(m, 1, 5, 6, 4))
        return [m.node(op, [x], m.shape(x))]

    return build


def two(op: str, options: str = "", **fields: Any) -> Callable[[Bench], list[int]]:
    """Return a network with one operator of two pictures, of a picture and a channel vector."""

    def build(m: Bench) -> list[int]:
        x = picture(m, 1, 5, 6, 4)
        y = positive(m, m.node("NEG", [x], m.shape(x)))
        both = m.node(op, [positive(m, x), y], m.shape(x), options=options, **fields)
        vector = m.constant(np.abs(real(4)) + 0.5)
        return [m.node(op, [both, vector], m.shape(x), options=options, **fields)]

    return build


def conv(**fields: Any) -> Callable[[Bench], list[int]]:
    def build(m: Bench) -> list[int]:
        x = m.input(1, 11, 9, 4)
        shape, groups = fields["shape"], fields.get("groups", 1)
        inputs = [x, m.constant(real(6, 3, 3, 4 // groups)), m.constant(real(6))]
        options = {k: v for k, v in fields.items() if k not in ("shape", "groups")}
        options = {"strideH": 1, "strideW": 1, **options}
        return [m.node("CONV_2D", inputs, shape, options="Conv2DOptions", **options)]

    return build


def depthwise(multiplier: int) -> Callable[[Bench], list[int]]:
    def build(m: Bench) -> list[int]:
        x = m.input(1, 8, 7, 3)
        out = 3 * multiplier
        inputs = [x, m.constant(real(1, 3, 3, out)), m.constant(real(out))]
        return [m.node("DEPTHWISE_CONV_2D", inputs, (1, 4, 4, out), depthMultiplier=multiplier,
                       options="DepthwiseConv2DOptions", strideH=2, strideW=2)]  # fmt: skip

    return build


def transpose_conv(
    kernel: int, stride: int, padding: int, size: tuple[int, int]
) -> Callable[[Bench], list[int]]:
    def build(m: Bench) -> list[int]:
        x = m.input(1, 5, 4, 3)
        shape = (1, *size, 2)
        inputs = [m.constant(whole(*shape)), m.constant(real(2, kernel, kernel, 3)), x,
                  m.constant(real(2))]  # fmt: skip
        return [m.node("TRANSPOSE_CONV", inputs, shape, options="TransposeConvOptions",
                       padding=padding, strideH=stride, strideW=stride)]  # fmt: skip

    return build


def dense(shape: tuple[int, ...], keep: bool) -> Callable[[Bench], list[int]]:
    def build(m: Bench) -> list[int]:
        x = m.input(*shape)
        rows = int(np.prod(shape)) // 6
        out = (*shape[:-1], 5) if keep else (rows, 5)
        inputs = [x, m.constant(real(5, 6)), m.constant(real(5))]
        return [m.node("FULLY_CONNECTED", inputs, out, options="FullyConnectedOptions",
                       keepNumDims=keep, fusedActivationFunction=RELU)]  # fmt: skip

    return build


def dense_of_rows(m: Bench) -> list[int]:
    x = m.input(1, 4, 6)
    return [m.node("FULLY_CONNECTED", [x, m.constant(real(5, 6)), m.constant(real(5))], (1, 4, 5),
                   options="FullyConnectedOptions", keepNumDims=True)]  # fmt: skip


def dense_of_picture(m: Bench) -> list[int]:
    x = picture(m, 1, 3, 2, 4)
    return [m.dense(x, real(5, 24), real(5))]


def matrix_product(x: bool, y: bool) -> Callable[[Bench], list[int]]:
    def build(m: Bench) -> list[int]:
        a = m.input(2, 4, 3) if x else m.input(2, 3, 4)
        b = m.input(2, 5, 4) if y else m.input(2, 4, 5)
        return [m.node("BATCH_MATMUL", [a, b], (2, 3, 5), options="BatchMatMulOptions",
                       adjX=x, adjY=y)]  # fmt: skip

    return build


def pool(op: str, padding: int, size: tuple[int, int]) -> Callable[[Bench], list[int]]:
    def build(m: Bench) -> list[int]:
        x = picture(m, 1, 7, 6, 3)
        return [m.node(op, [x], (1, *size, 3), options="Pool2DOptions", padding=padding,
                       filterHeight=3, filterWidth=2, strideH=2, strideW=2,
                       fusedActivationFunction=RELU6)]  # fmt: skip

    return build


def resize(op: str, size: tuple[int, int], **fields: bool) -> Callable[[Bench], list[int]]:
    name = "ResizeBilinearOptions" if "BILINEAR" in op else "ResizeNearestNeighborOptions"

    def build(m: Bench) -> list[int]:
        x = picture(m, 1, 5, 4, 2)
        return [m.node(op, [x, m.constant(whole(*size))], (1, *size, 2), options=name, **fields)]

    return build


def reduce(op: str, axes: tuple[int, ...], keep: bool) -> Callable[[Bench], list[int]]:
    def build(m: Bench) -> list[int]:
        x = picture(m, 1, 5, 6, 4)
        logical = m.shape(x)
        gone = {axis % 4 for axis in axes}
        shape = tuple(
            1 if axis in gone else size
            for axis, size in enumerate(logical)
            if keep or axis not in gone
        )
        return [m.node(op, [x, m.constant(whole(*axes))], shape, options="ReducerOptions",
                       keepDims=keep)]  # fmt: skip

    return build


def pad(op: str, rest: list[Any], **options: Any) -> Callable[[Bench], list[int]]:
    def build(m: Bench) -> list[int]:
        x = picture(m, 1, 5, 6, 4)
        pixels = np.array([[0, 0], [1, 1], [0, 1], [1, 0]], np.int32)
        inputs = [x, m.constant(pixels), *(m.constant(value) for value in rest)]
        return [m.node(op, inputs, (1, 7, 7, 5), **options)]

    return build


def concat(axis: int) -> Callable[[Bench], list[int]]:
    def build(m: Bench) -> list[int]:
        x = picture(m, 1, 4, 6, 4)
        fixed = m.constant(real(1, 4, 6, 4))
        shape = [1, 4, 6, 4]
        shape[axis] *= 3
        return [m.node("CONCATENATION", [x, m.node("ABS", [x], m.shape(x)), fixed], tuple(shape),
                       options="ConcatenationOptions", axis=axis)]  # fmt: skip

    return build


def split(m: Bench) -> list[int]:
    x = picture(m, 1, 5, 6, 4)
    axis = m.constant(np.array(-1, np.int32))
    return m.several("SPLIT", [axis, x], [(1, 5, 6, 2)] * 2, options="SplitOptions", numSplits=2)


def split_v(m: Bench) -> list[int]:
    x = picture(m, 1, 5, 6, 4)
    inputs = [x, m.constant(whole(1, -1)), m.constant(np.array(1, np.int32))]
    shapes = [(1, 1, 6, 4), (1, 4, 6, 4)]
    return m.several("SPLIT_V", inputs, shapes, options="SplitVOptions", numSplits=2)


def unpack(m: Bench) -> list[int]:
    x = picture(m, 1, 2, 6, 4)
    return m.several("UNPACK", [x], [(1, 6, 4)] * 2, options="UnpackOptions", num=2, axis=1)


def pack(m: Bench) -> list[int]:
    x = picture(m, 1, 5, 6, 4)
    inputs = [x, m.node("NEG", [x], m.shape(x))]
    return [m.node("PACK", inputs, (1, 2, 5, 6, 4), options="PackOptions", valuesCount=2, axis=1)]


def sliced(m: Bench) -> list[int]:
    x = picture(m, 1, 5, 6, 4)
    inputs = [x, m.constant(whole(0, 1, 2, 1)), m.constant(whole(1, 3, -1, 2))]
    return [m.node("SLICE", inputs, (1, 3, 4, 2))]


def strided(
    begin: Any, end: Any, strides: Any, shape: tuple[int, ...], **masks: int
) -> Callable[[Bench], list[int]]:
    def build(m: Bench) -> list[int]:
        x = picture(m, 1, 5, 6, 4)
        inputs = [x, *(m.constant(whole(*values)) for values in (begin, end, strides))]
        return [m.node("STRIDED_SLICE", inputs, shape, options="StridedSliceOptions", **masks)]

    return build


def reverse(*axes: int) -> Callable[[Bench], list[int]]:
    def build(m: Bench) -> list[int]:
        x = picture(m, 1, 5, 6, 4)
        return [m.node("REVERSE_V2", [x, m.constant(whole(*axes))], m.shape(x))]

    return build


def gather(index: Any, axis: int, shape: tuple[int, ...]) -> Callable[[Bench], list[int]]:
    def build(m: Bench) -> list[int]:
        x = picture(m, 1, 5, 6, 4)
        return [m.node("GATHER", [x, m.constant(np.array(index, np.int32))], shape,
                       options="GatherOptions", axis=axis)]  # fmt: skip

    return build


def gather_nd(index: Any, shape: tuple[int, ...]) -> Callable[[Bench], list[int]]:
    def build(m: Bench) -> list[int]:
        x = m.node("RESHAPE", [picture(m, 1, 5, 6, 4), m.constant(whole(5, 6, 4))], (5, 6, 4),
                   options="ReshapeOptions")  # fmt: skip
        return [m.node("GATHER_ND", [x, m.constant(np.array(index, np.int32))], shape)]

    return build


def transpose(*order: int) -> Callable[[Bench], list[int]]:
    def build(m: Bench) -> list[int]:
        x = picture(m, 1, 5, 6, 4)
        shape = tuple(m.shape(x)[axis] for axis in order)
        y = m.node("TRANSPOSE", [x, m.constant(whole(*order))], shape)
        # What follows shows whether the layout was kept track of.
        return [m.node("SOFTMAX", [y], shape, options="SoftmaxOptions", beta=1.0)]

    return build


def reshape(m: Bench) -> list[int]:
    x = picture(m, 1, 5, 6, 4)
    wanted = m.constant(whole(1, -1, 2))
    return [m.node("RESHAPE", [x, wanted], (1, 60, 2), options="ReshapeOptions")]


def squeeze(m: Bench) -> list[int]:
    x = reduce("MEAN", (1, 2), keep=True)(m)[0]
    return [m.node("SQUEEZE", [x], (1, 4), options="SqueezeOptions", squeezeDims=[1, 2])]


def expand(m: Bench) -> list[int]:
    x = picture(m, 1, 5, 6, 4)
    return [m.node("EXPAND_DIMS", [x, m.constant(np.array(-2, np.int32))], (1, 5, 6, 1, 4))]


def shaped(m: Bench) -> list[int]:
    """A size that is computed: [1, h * w, c] from the shape of a picture."""
    x = picture(m, 1, 5, 6, 4)
    sizes = m.node("SHAPE", [x], (4,), dtype="int32", options="ShapeOptions", outType=2)
    first = m.node("STRIDED_SLICE", [sizes, *(m.constant(whole(n)) for n in (0, 1, 1))], (),
                   dtype="int32", options="StridedSliceOptions", shrinkAxisMask=1)  # fmt: skip
    parts = [first, *(m.constant(np.array(n, np.int32)) for n in (-1, 4))]
    wanted = m.node("PACK", parts, (3,), dtype="int32", options="PackOptions", valuesCount=3)
    return [m.node("RESHAPE", [x, wanted], (1, 30, 4), options="ReshapeOptions")]


def broadcast(m: Bench) -> list[int]:
    x = m.input(1, 3, 1)
    return [m.node("BROADCAST_TO", [x, m.constant(whole(2, 3, 4))], (2, 3, 4))]


def tile(m: Bench) -> list[int]:
    x = picture(m, 1, 2, 3, 4)
    return [m.node("TILE", [x, m.constant(whole(1, 2, 1, 2))], (1, 4, 3, 8))]


def cast(m: Bench) -> list[int]:
    x = m.input(1, 3)
    whole = m.node("CAST", [x], (1, 3), dtype="int32", options="CastOptions", inDataType=0,
                   outDataType=2)  # fmt: skip
    return [m.node("CAST", [whole], (1, 3), options="CastOptions", inDataType=2, outDataType=0)]


def compared(*ops: str) -> Callable[[Bench], list[int]]:
    """Return a network that picks between a picture and a number by comparing them."""

    def build(m: Bench) -> list[int]:
        x = picture(m, 1, 5, 6, 4)
        half, shape = m.constant(np.float32(0.5)), m.shape(x)
        found = m.node("GREATER", [x, half], shape, dtype="bool")
        for op in ops:
            if op == "LOGICAL_NOT":
                found = m.node(op, [found], shape, dtype="bool")
            elif op.startswith("LOGICAL"):
                small = m.node("LESS", [x, m.constant(np.float32(1.5))], shape, dtype="bool")
                found = m.node(op, [found, small], shape, dtype="bool")
            elif not op.startswith("SELECT"):
                found = m.node(op, [x, half], shape, dtype="bool")
        pick = next((op for op in ops if op.startswith("SELECT")), "SELECT_V2")
        # Version 1 broadcasts nothing.
        other = m.node("NEG", [x], shape)
        return [m.node(pick, [found, x, other], shape)]

    return build


def dequantize(m: Bench) -> list[int]:
    x = m.input(1, 6)
    weight = m.node("DEQUANTIZE", [m.constant(real(3, 6).astype(_HALF))], (3, 6))
    bias = m.node("DEQUANTIZE", [m.constant(real(3).astype(_HALF))], (3,))
    return [m.node("FULLY_CONNECTED", [x, weight, bias], (1, 3), options="FullyConnectedOptions")]


def prelu(m: Bench) -> list[int]:
    x = picture(m, 1, 5, 6, 4)
    return [m.node("PRELU", [x, m.constant(real(1, 1, 4))], m.shape(x))]


def blocks(op: str, options: str, shape: tuple[int, ...]) -> Callable[[Bench], list[int]]:
    def build(m: Bench) -> list[int]:
        x = picture(m, 1, 4, 6, 8)
        return [m.node(op, [x], shape, options=options, blockSize=2)]

    return build


def dilated(
    block: tuple[int, int], pads: Any, crops: Any, *, inner: int = VALID, depthwise: bool = False
) -> Callable[[Bench], list[int]]:
    """A convolution between SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND, 3x3, on 10x12 pixels."""

    def build(m: Bench) -> list[int]:
        x = m.input(1, 10, 12, 2)
        (top, bottom), (left, right) = pads
        rows, columns = (10 + top + bottom) // block[0], (12 + left + right) // block[1]
        batch = block[0] * block[1]
        grid = m.constant(whole(*block))
        spread = m.node("SPACE_TO_BATCH_ND", [x, grid, m.constant(whole(*pads))],
                        (batch, rows, columns, 2))  # fmt: skip
        if inner == VALID:
            rows, columns = rows - 2, columns - 2
        if depthwise:
            y = m.node("DEPTHWISE_CONV_2D",
                       [spread, m.constant(real(1, 3, 3, 2)), m.constant(real(2))],
                       (batch, rows, columns, 2), options="DepthwiseConv2DOptions",
                       padding=inner, strideH=1, strideW=1, depthMultiplier=1)  # fmt: skip
        else:
            y = m.node("CONV_2D", [spread, m.constant(real(2, 3, 3, 2)), m.constant(real(2))],
                       (batch, rows, columns, 2), options="Conv2DOptions", padding=inner,
                       strideH=1, strideW=1, fusedActivationFunction=RELU)  # fmt: skip
        (a, b), (c, d) = crops
        shape = (1, rows * block[0] - a - b, columns * block[1] - c - d, 2)
        return [m.node("BATCH_TO_SPACE_ND", [y, grid, m.constant(whole(*crops))], shape)]

    return build
