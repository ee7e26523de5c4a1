"""Where Q/DQ pairs stand, so that INT8 kernels can be made of what is between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from export.onnx_writer.placement import ACTIVATIONS, WEIGHTED
from export.onnx_writer.view import Call, View
from export.toolchains.rules.finding import Fault, Release, Rule

__all__ = ["PLACEMENT"]

_Q, _DQ = "QuantizeLinear", "DequantizeLinear"
_GUIDE = "TensorRT developer guide, Q/DQ Layer-Placement Recommendations"
#: Pick numbers: in INT8 what goes in and what comes out has one scale.
_PICKERS = (
    "Concat", "DepthToSpace", "Expand", "Gather", "MaxPool", "Pad", "Slice", "SpaceToDepth",
    "Split", "Tile",
)  # fmt: skip


def _bias(view: View, release: Release) -> Iterator[Fault]:
    for call in view.of(*WEIGHTED):
        maker = view.maker(call.input(2))
        if call.op != "MatMul" and maker is not None and maker.op in (_Q, _DQ):
            yield call, "its bias is quantised"


def _weights(view: View, release: Release) -> Iterator[Fault]:
    """Inputs and weights are INT8 together or not at all."""
    for call in view.of(*WEIGHTED):
        if view.constant(call.input(1)) is None and view.stored(call.input(1)) is None:
            continue
        quantised = view.stored(call.input(1)) is not None
        if view.scale_of(call.input(0)) is None and quantised:
            yield call, "its weight is INT8 and its input is not"
        elif view.scale_of(call.input(0)) is not None and not quantised:
            yield call, "its input is INT8 and its weight is not"


def _activation(view: View, release: Release) -> Iterator[Fault]:
    for call in view.of(_Q):
        maker = view.maker(call.input(0))
        if maker is None or maker.op not in (*WEIGHTED, "Add"):
            continue
        for dequantise in view.readers(call.outputs[0]):
            for reader in view.readers(dequantise.outputs[0]):
                if reader.op in ACTIVATIONS:
                    yield call, f"stands between {maker.op} and its {reader.op}"


def _residual(view: View, release: Release) -> Iterator[Fault]:
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


def _same_scale(view: View, release: Release) -> Iterator[Fault]:
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


PLACEMENT: Mapping[str, Rule] = {
    "bias": Rule(_bias, "TensorRT developer guide, Explicit Quantization: no bias is quantised"),
    "weights": Rule(_weights, f"{_GUIDE}: quantise all inputs of weighted operations"),
    "activation": Rule(_activation, f"{_GUIDE}: not the outputs of weighted operations"),
    "residual": Rule(_residual, f"{_GUIDE}: quantise the residual input in skip connections"),
    "same-scale": Rule(_same_scale, "TensorRT developer guide, Q/DQ Limitations and Concat"),
}
