"""Hold an ONNX file to what TensorRT's documentation demands of explicit Q/DQ.

Sources: the TensorRT developer guide ("Explicit Quantization", "Q/DQ Layer-Placement
Recommendations") and onnx-tensorrt (docs/operators.md, the importers' own checks).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from export.onnx_writer.placement import ACTIVATIONS, WEIGHTED
from export.onnx_writer.view import Call, View

__all__ = ["READABLE", "RULES", "Violation", "check_qdq"]

_Q, _DQ = "QuantizeLinear", "DequantizeLinear"
#: Pick numbers: in INT8 what goes in and what comes out has one scale.
_PICKERS = (
    "Concat", "DepthToSpace", "Expand", "Gather", "MaxPool", "Pad", "Slice", "SpaceToDepth",
    "Split", "Tile",
)  # fmt: skip
#: Operators of float networks that the parsers of TensorRT 8.5 and of 10.15 read, by the tables of
#: their docs/operators.md.
READABLE = frozenset(
    "Abs Add AveragePool BatchNormalization Cast Ceil Clip Concat Constant Conv ConvTranspose "
    "DepthToSpace DequantizeLinear Div Elu Erf Exp Expand Flatten Floor Gather Gemm "
    "GlobalAveragePool GlobalMaxPool HardSigmoid Identity InstanceNormalization LeakyRelu Log "
    "LogSoftmax MatMul Max MaxPool Min Mul Neg PRelu Pad Pow QuantizeLinear Reciprocal ReduceL2 "
    "ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum Relu Reshape Resize Shape Sigmoid Slice "
    "Softmax Softplus SpaceToDepth Split Sqrt Squeeze Sub Sum Tanh Tile Transpose Unsqueeze "
    "Where".split()
)


@dataclass(frozen=True, slots=True)
class Violation:
    """One rule that a file breaks.

    Attributes:
        rule: a key of ``RULES``.
        node: first output of the operator at fault.
        why: what is wrong there.
    """

    rule: str
    node: str
    why: str


def check_qdq(content: bytes, *, where: str = "the ONNX file") -> list[Violation]:
    """Check a Q/DQ network.

    Args:
        content: the ONNX file, without external data.
        where: its name, for messages.

    Returns:
        What TensorRT would refuse or could not fuse, in the order of ``RULES``; empty if nothing.

    Raises:
        DataError: it is no ONNX file.
        UnavailableError: onnx is not installed.
    """
    view = View.read(content, where=where)
    return [
        Violation(rule, call.outputs[0], why)
        for rule, check in RULES.items()
        for call, why in check(view)
    ]


#: An operator at fault, and what is wrong with it.
_Fault = tuple[Call, str]


def _operator(view: View) -> Iterator[_Fault]:
    for call in view.calls:
        if call.domain or call.op not in READABLE:
            yield call, f"{call.op} is not read by TensorRT's parser"


def _zero_point(view: View) -> Iterator[_Fault]:
    for call in view.of(_Q, _DQ):
        zero = view.constant(call.input(2))
        if not call.input(2):
            # ONNX takes a QuantizeLinear without one for uint8.
            if call.op == _Q and call.attribute("output_dtype", 0) == 0:
                yield call, "has no zero point, which makes it uint8"
        elif zero is None:
            yield call, "its zero point is no constant"
        elif zero.dtype != np.int8:
            yield call, f"its zero point is {zero.dtype}, and only int8 is supported"
        elif zero.any():
            yield call, "its zero point is not 0"


def _scale(view: View) -> Iterator[_Fault]:
    for call in view.of(_Q, _DQ):
        scale = view.constant(call.input(1))
        if scale is None:
            yield call, "its scale is no constant"
        elif not (np.isfinite(scale).all() and (scale > 0).all()):
            yield call, "its scale is not above zero and finite"


def _axis(view: View) -> Iterator[_Fault]:
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


def _bias(view: View) -> Iterator[_Fault]:
    for call in view.of(*WEIGHTED):
        maker = view.maker(call.input(2))
        if call.op != "MatMul" and maker is not None and maker.op in (_Q, _DQ):
            yield call, "its bias is quantised"


def _weights(view: View) -> Iterator[_Fault]:
    """Inputs and weights are INT8 together or not at all."""
    for call in view.of(*WEIGHTED):
        if view.constant(call.input(1)) is None and view.stored(call.input(1)) is None:
            continue
        quantised = view.stored(call.input(1)) is not None
        if view.scale_of(call.input(0)) is None and quantised:
            yield call, "its weight is INT8 and its input is not"
        elif view.scale_of(call.input(0)) is not None and not quantised:
            yield call, "its input is INT8 and its weight is not"


def _activation(view: View) -> Iterator[_Fault]:
    for call in view.of(_Q):
        maker = view.maker(call.input(0))
        if maker is None or maker.op not in (*WEIGHTED, "Add"):
            continue
        for dequantise in view.readers(call.outputs[0]):
            for reader in view.readers(dequantise.outputs[0]):
                if reader.op in ACTIVATIONS:
                    yield call, f"stands between {maker.op} and its {reader.op}"


def _residual(view: View) -> Iterator[_Fault]:
    """Of a sum that is INT8, the shortcut is INT8 and the convolution's output is untouched."""
    for call in view.of("Add"):
        sides = [name for name in call.inputs if view.constant(name) is None]
        if len(sides) != 2 or not view.wanted_in_int8(call.outputs[0]):
            continue
        direct = [name for name in sides if view.is_direct(name)]
        bare = [n for n in sides if view.scale_of(n) is None and n not in direct]
        if bare:
            yield call, f"{bare[0]} is not quantised"
        elif len(direct) == 2:
            yield call, "neither side is quantised"
        elif not direct and any(view.pair_behind_convolution(name) for name in sides):
            yield call, "a pair stands between it and the convolution it would be fused with"


def _pairs(view: View) -> Iterator[_Fault]:
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


def _once(view: View) -> Iterator[_Fault]:
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


def _same_scale(view: View) -> Iterator[_Fault]:
    for call in view.calls:
        data = call.inputs if call.op == "Concat" else call.inputs[:1]
        if not _picks(view, call) or any(view.constant(name) is not None for name in data):
            continue
        before = [view.scale_of(name) for name in data]
        behind = [view.constant(q.input(1)) for q in view.quantisers(call.outputs)]
        scales = [scale for scale in (*before, *behind) if scale is not None]
        real = sum(scale is None for scale in before)
        if behind and 0 < real < len(before):
            yield call, "joins INT8 with real numbers"
        elif behind and not real and any(not np.array_equal(s, scales[0]) for s in scales):
            yield call, "its inputs and its output have different scales"


def _picks(view: View, call: Call) -> bool:
    """Tell whether an operator only picks numbers, so that in INT8 it keeps their scale."""
    if call.op == "Resize":
        return bool(call.attribute("mode", b"nearest") == b"nearest")
    if call.op == "Pad" and call.attribute("mode", b"constant") == b"constant":
        filling = view.constant(call.input(2))
        return not call.input(2) or (filling is not None and not filling.any())
    return call.op in _PICKERS


#: Name of each rule, as in ``Violation.rule``, and what checks it.
RULES: dict[str, Callable[[View], Iterator[_Fault]]] = {
    "operator": _operator,
    "zero-point": _zero_point,
    "scale": _scale,
    "axis": _axis,
    "bias": _bias,
    "weights": _weights,
    "activation": _activation,
    "residual": _residual,
    "pairs": _pairs,
    "once": _once,
    "same-scale": _same_scale,
}
