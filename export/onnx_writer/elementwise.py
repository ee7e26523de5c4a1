"""Operators that work on each number by itself, and those along one axis of channels."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from export.onnx_writer.infer import Unwritable
from export.onnx_writer.site import Emitter, Site
from export.onnx_writer.values import Value

__all__ = ["ELEMENTWISE"]


def _binary(op: str) -> Emitter:
    def emit(site: Site) -> None:
        sides, first = site.alike((0, 1))
        site.result(op, sides, channels_first=first)

    return emit


def _unary(op: str) -> Emitter:
    def emit(site: Site) -> None:
        x = site.input(0)
        site.result(op, [x], channels_first=x.channels_first)

    return emit


def _not_equal(site: Site) -> None:
    sides, first = site.alike((0, 1))
    same = site.emit("Equal", sides, channels_first=first)
    site.result("Not", [same], channels_first=first)


def _select(site: Site) -> None:
    sides, first = site.alike((0, 1, 2))
    site.result("Where", sides, channels_first=first)


def _clip(least: float, greatest: float) -> Emitter:
    def emit(site: Site) -> None:
        x = site.input(0)
        ends = [site.scalar(least), site.scalar(greatest)]
        site.result("Clip", [x, *ends], channels_first=x.channels_first)

    return emit


def _squared_difference(site: Site) -> None:
    sides, first = site.alike((0, 1))
    gap = site.emit("Sub", sides, channels_first=first)
    site.result("Mul", [gap, gap], channels_first=first)


def _square(site: Site) -> None:
    x = site.input(0)
    site.result("Mul", [x, x], channels_first=x.channels_first)


def _rsqrt(site: Site) -> None:
    x = site.input(0)
    root = site.emit("Sqrt", [x], channels_first=x.channels_first)
    site.result("Reciprocal", [root], channels_first=x.channels_first)


def _elu(site: Site) -> None:
    x = site.input(0)
    site.result("Elu", [x], channels_first=x.channels_first, alpha=1.0)


def _leaky_relu(site: Site) -> None:
    x = site.input(0)
    alpha = site.real("alpha", 0.0)
    site.result("LeakyRelu", [x], channels_first=x.channels_first, alpha=alpha)


def _prelu(site: Site) -> None:
    (x, slope), first = site.alike((0, 1))
    if slope.data is None:
        raise Unwritable("its slope must be a constant")
    site.result("PRelu", [x, slope], channels_first=first)


def _hard_swish(site: Site) -> None:
    """Write ``x * clip(x / 6 + 1/2, 0, 1)``, which every opset has."""
    x = site.input(0)
    first = x.channels_first
    gate = site.emit("HardSigmoid", [x], channels_first=first, alpha=1 / 6, beta=0.5)
    site.result("Mul", [x, gate], channels_first=first)


def _gelu(site: Site) -> None:
    """Write GELU (Hendrycks, Gimpel 2016) by ``erf``, or by ``tanh`` where TFLite approximates."""
    x = site.input(0)
    first = x.channels_first

    def write(op: str, *inputs: Value) -> Value:
        return site.emit(op, inputs, channels_first=first)

    if site.option("approximate"):
        cube = write("Mul", write("Mul", x, x), x)
        inner = write("Add", x, write("Mul", cube, site.scalar(0.044715)))
        bend = write("Tanh", write("Mul", inner, site.scalar(math.sqrt(2 / math.pi))))
    else:
        bend = write("Erf", write("Mul", x, site.scalar(math.sqrt(0.5))))
    gate = write("Mul", write("Add", bend, site.scalar(1.0)), site.scalar(0.5))
    site.result("Mul", [x, gate], channels_first=first)


def _softmax(op: str) -> Emitter:
    def emit(site: Site) -> None:
        x = site.input(0)
        first = x.channels_first
        axis = x.axis(-1)
        beta = site.real("beta", 1.0)
        if op == "Softmax" and beta != 1.0:
            x = site.emit("Mul", [x, site.scalar(beta)], channels_first=first)
        site.result(op, [x], channels_first=first, axis=axis)

    return emit


def _l2_normalisation(site: Site) -> None:
    """Write ``x / sqrt(max(sum of squares, 1e-6))``, along the channels as TFLite does."""
    x = site.input(0)
    first = x.channels_first
    axes = site.whole([x.axis(-1)])
    square = site.emit("Mul", [x, x], channels_first=first)
    total = site.emit("ReduceSum", [square, axes], channels_first=first, keepdims=1)
    kept = site.emit("Max", [total, site.scalar(1e-6)], channels_first=first)
    root = site.emit("Sqrt", [kept], channels_first=first)
    site.result("Div", [x, root], channels_first=first)


def _cast(site: Site) -> None:
    x = site.input(0)
    dtype = site.outputs[0].dtype
    dtype = site.builder.real if dtype == "float32" and x.data is None else dtype
    site.result("Cast", [x], channels_first=x.channels_first, to=dtype)


def _dequantize(site: Site) -> None:
    """Fold a constant of float16; the numbers of a quantised network are no float program."""
    x = site.input(0)
    if x.data is None or x.dtype != "float16":
        raise Unwritable("the network is quantised already")
    value = site.builder.constant(x.data.astype(np.float32), site.name)
    site.alias(value, channels_first=False)


ELEMENTWISE: Mapping[str, Emitter] = {
    "ABS": _unary("Abs"),
    "ADD": _binary("Add"),
    "CAST": _cast,
    "CEIL": _unary("Ceil"),
    "COS": _unary("Cos"),
    "DEQUANTIZE": _dequantize,
    "DIV": _binary("Div"),
    "ELU": _elu,
    "EQUAL": _binary("Equal"),
    "EXP": _unary("Exp"),
    "FLOOR": _unary("Floor"),
    "GELU": _gelu,
    "GREATER": _binary("Greater"),
    "GREATER_EQUAL": _binary("GreaterOrEqual"),
    "HARD_SWISH": _hard_swish,
    "L2_NORMALIZATION": _l2_normalisation,
    "LEAKY_RELU": _leaky_relu,
    "LESS": _binary("Less"),
    "LESS_EQUAL": _binary("LessOrEqual"),
    "LOG": _unary("Log"),
    "LOGISTIC": _unary("Sigmoid"),
    "LOGICAL_AND": _binary("And"),
    "LOGICAL_NOT": _unary("Not"),
    "LOGICAL_OR": _binary("Or"),
    "LOG_SOFTMAX": _softmax("LogSoftmax"),
    "MAXIMUM": _binary("Max"),
    "MINIMUM": _binary("Min"),
    "MUL": _binary("Mul"),
    "NEG": _unary("Neg"),
    "NOT_EQUAL": _not_equal,
    "POW": _binary("Pow"),
    "PRELU": _prelu,
    "RELU": _unary("Relu"),
    "RELU6": _clip(0.0, 6.0),
    "RELU_0_TO_1": _clip(0.0, 1.0),
    "RELU_N1_TO_1": _clip(-1.0, 1.0),
    "ROUND": _unary("Round"),
    "RSQRT": _rsqrt,
    "SELECT": _select,
    "SELECT_V2": _select,
    "SIGN": _unary("Sign"),
    "SIN": _unary("Sin"),
    "SOFTMAX": _softmax("Softmax"),
    "SQRT": _unary("Sqrt"),
    "SQUARE": _square,
    "SQUARED_DIFFERENCE": _squared_difference,
    "SUB": _binary("Sub"),
    "TANH": _unary("Tanh"),
}
