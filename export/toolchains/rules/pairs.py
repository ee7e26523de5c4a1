"""What a Q/DQ pair has to be, wherever it stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from export.onnx_writer.view import Call, View
from export.toolchains.rules.finding import Fault, Release, Rule

__all__ = ["PAIRS"]

_Q, _DQ = "QuantizeLinear", "DequantizeLinear"
_IMPORTER = "onnx-tensorrt, onnxOpImporters.cpp, QuantDequantLinearHelper"
#: Networks are strongly typed, and a zero point may be missing, from this release on; from this
#: opset on the parser casts no scale any more.
_STRONG, _NO_CAST = (10, 0), 19


def _zero_point(view: View, release: Release) -> Iterator[Fault]:
    for call in view.of(_Q, _DQ):
        zero = view.constant(call.input(2))
        if not call.input(2):
            # ONNX takes a QuantizeLinear without one for uint8.
            if call.op == _Q and call.attribute("output_dtype", 0) == 0:
                yield call, "has no zero point, which makes it uint8"
            elif call.op == _DQ and release < _STRONG:
                yield call, f"has no zero point, which releases before {_STRONG[0]} demand"
        elif zero is None:
            yield call, "its zero point is no constant"
        elif zero.dtype != np.int8:
            yield call, f"its zero point is {zero.dtype}, and only int8 is supported"
        elif zero.any():
            yield call, "its zero point is not 0"
        elif (scale := view.constant(call.input(1))) is not None and scale.size != zero.size:
            yield call, f"{zero.size} zero points and {scale.size} scales"


def _scale(view: View, release: Release) -> Iterator[Fault]:
    for call in view.of(_Q, _DQ):
        scale = view.constant(call.input(1))
        if scale is None:
            yield call, "its scale is no constant"
        elif not (np.isfinite(scale).all() and (scale > 0).all()):
            yield call, "its scale is not above zero and finite"


def _type(view: View, release: Release) -> Iterator[Fault]:
    """A scale is real, and of the type of what it is multiplied with."""
    for call in view.of(_Q, _DQ):
        scale = view.constant(call.input(1))
        if scale is None:
            continue
        kind = scale.dtype.name
        if kind not in ("float32", "float16"):
            yield call, f"its scale is {kind}, and only float32 and float16 are read"
        elif call.op == _Q and release >= _STRONG and view.opset >= _NO_CAST:
            given = view.dtype(call.input(0))
            if given and given != kind:
                yield call, f"its scale is {kind} and what it stores {given}"


def _axis(view: View, release: Release) -> Iterator[Fault]:
    """Activations have one scale, weights one a tensor or one an output channel."""
    for call in view.of(_Q, _DQ):
        scale = view.constant(call.input(1))
        if scale is None or scale.size == 1:
            continue
        stored = view.constant(call.input(0))
        if stored is None:
            yield call, "an activation has one scale a channel"
            continue
        if view.opset < 13:
            yield call, f"one scale a channel needs opset 13, and this is {view.opset}"
        if call.attribute("axis", None) is None:
            # What the parser takes where nothing is written; ONNX means 1.
            yield call, "has no axis, which TensorRT takes for 0 and ONNX for 1"
            continue
        axis = call.attribute("axis", 1) % max(stored.ndim, 1)
        if stored.ndim <= axis or stored.shape[axis] != scale.size:
            yield call, f"{scale.size} scales along axis {axis} of {list(stored.shape)}"
        for reader in view.readers(call.outputs[0]):
            wanted = _channels(reader)
            if call.outputs[0] == reader.input(1) and wanted not in (None, axis):
                yield call, f"scales along axis {axis}, output channels along axis {wanted}"


def _channels(call: Call) -> int | None:
    """Return the axis of the output channels in a weight; None for other operators."""
    if call.op == "Gemm":
        return 0 if call.attribute("transB", 0) else 1
    return {"Conv": 0, "ConvTranspose": 1, "MatMul": 1}.get(call.op)


def _pairs(view: View, release: Release) -> Iterator[Fault]:
    for call in view.of(_Q):
        if call.outputs[0] in view.outputs:
            continue
        readers = view.readers(call.outputs[0])
        scale = view.constant(call.input(1))
        if not readers:
            yield call, "nothing dequantises what it stores"
        for reader in readers:
            other = view.constant(reader.input(1))
            if reader.op != _DQ:
                yield call, f"{reader.op} reads what it stores"
            elif scale is not None and other is not None and not np.array_equal(scale, other):
                yield reader, "its scale is not that of its QuantizeLinear"
    for call in view.of(_DQ):
        maker = view.maker(call.input(0))
        given = call.input(0) in view.inputs or view.constant(call.input(0)) is not None
        if not given and (maker is None or maker.op != _Q):
            yield call, "what it reads was not stored by a QuantizeLinear"


def _once(view: View, release: Release) -> Iterator[Fault]:
    seen: set[tuple[str, bytes]] = set()
    for call in view.of(_Q):
        scale = view.constant(call.input(1))
        if scale is None:
            continue
        key = (call.input(0), scale.tobytes())
        before = view.scale_of(call.input(0))
        if key in seen or (before is not None and np.array_equal(before, scale)):
            yield call, "what it reads is quantised with this scale already"
        seen.add(key)


PAIRS: Mapping[str, Rule] = {
    "zero-point": Rule(_zero_point, _IMPORTER),
    "scale": Rule(_scale, _IMPORTER),
    "type": Rule(_type, _IMPORTER),
    "axis": Rule(_axis, _IMPORTER),
    "pairs": Rule(_pairs, "TensorRT developer guide, Explicit Quantization"),
    "once": Rule(_once, "TensorRT developer guide, Q/DQ Interaction with TensorRT Fusions"),
}
