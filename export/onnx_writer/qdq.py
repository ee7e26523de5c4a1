"""Put Q/DQ pairs into a float draft: INT8 as TensorRT's strongly typed networks read it.

All zero points are 0. Weights are stored as int8 initializers with one scale an output channel
and a DequantizeLinear; biases stay float32. A value has one pair, shared by all that read it but
the activation of a convolution and the operator that hands it out.

Inputs of the network are int8 with a DequantizeLinear alone, so that a picture's raw bytes go in
and a quarter of the memory moves. TensorRT takes that: a pair with its outer half taken off is
NVIDIA's own advice for INT8 inputs and outputs (TensorRT issue 2383), the importer of
DequantizeLinear refuses a network's input only if it is uint8 (onnx-tensorrt, onnxOpImporters.cpp,
QuantDequantLinearHelper), and the builder wants a range for INT8 inputs only "in network without
Q/DQ layers" (issue 1973). That was read; no TensorRT has built it yet. Rejected: float32 inputs
with a pair, which have the host turn bytes into floats that the first operator turns back. An
input whose zero point is not 0 (raw bytes that mean 0 to 255, say) has an Add behind its
DequantizeLinear, because TensorRT knows no zero points.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from export.onnx_writer.placement import ACTIVATIONS, SHUFFLES, WEIGHTED, Placement, place
from export.onnx_writer.scales import check_ranges, symmetric_scale
from export.onnx_writer.values import Draft, Operator, Value

__all__ = ["quantise"]

_GREATEST = 127
#: A scale that is met elsewhere may clip this much: -128 is stored, too.
_ROOM = 128 / 127


def quantise(
    draft: Draft,
    ranges: Mapping[str, tuple[float, float]],
    keep_float: frozenset[str],
    *,
    where: str,
) -> Draft:
    """Return the draft with Q/DQ pairs, see ``placement`` for where they stand.

    Args:
        draft: float, its int8 inputs already dequantised.
        ranges: least and greatest value of each activation, by the TFLite tensor's name.
        keep_float: names of the first outputs of TFLite operators that stay float.
        where: name of the file, for messages.

    Raises:
        DataError: a range is missing.
    """
    placement = place(draft, keep_float)
    scales = _scales(draft, placement, ranges, where)
    return _Inserter(draft, scales).run(placement)


def _scales(
    draft: Draft,
    placement: Placement,
    ranges: Mapping[str, tuple[float, float]],
    where: str,
) -> dict[str, float]:
    """Return the scale of each value that gets a pair."""
    fixed = _fixed(draft)
    names = [name for name in placement.targets if name not in fixed]
    origins = {name: draft.origins.get(name, name) for name in names}
    check_ranges(ranges, dict.fromkeys(origins.values()), where=where)
    own = {name: symmetric_scale(ranges[origin]) for name, origin in origins.items()} | fixed
    scales = dict(own)
    for group in placement.alike:
        paired = group & own.keys()
        given = {fixed[name] for name in paired & fixed.keys()}
        widest = max((own[name] for name in paired), default=0.0)
        # What comes in as int8 keeps its scale, if that holds what it is joined with.
        if len(given) == 1 and widest <= max(given) * _ROOM:
            widest = max(given)
        scales |= dict.fromkeys(paired, widest)
    return {n: scales[n] for n in placement.targets if fixed.get(n) != scales[n]}


def _fixed(draft: Draft) -> dict[str, float]:
    """Return the scales of the values that come in as int8."""
    table = {}
    for operator in draft.operators:
        if operator.op == "DequantizeLinear":
            data = draft.values[operator.inputs[1]].data
            assert data is not None, "scales are constants"
            table[operator.outputs[0]] = float(data)
    return table


class _Inserter:
    """A draft being written anew with its pairs."""

    def __init__(self, draft: Draft, scales: Mapping[str, float]) -> None:
        self._draft, self._scales = draft, scales
        self._values = dict(draft.values)
        self._origins = dict(draft.origins)
        self._operators: list[Operator] = []
        self._made: dict[str, str] = {}
        self._zero = self._constant("zero", np.zeros((), np.int8))

    def run(self, placement: Placement) -> Draft:
        """Copy the operators, each target followed by its pair."""
        weighted = {operator.outputs[0] for operator in placement.weighted}
        makers = self._draft.makers()
        for name in self._draft.inputs:
            self._pair(name)
        for operator in self._draft.operators:
            inputs = [
                name if self._reads_raw(operator, makers.get(name)) else self._made.get(name, name)
                for name in operator.inputs
            ]
            if operator.outputs[0] in weighted:
                inputs[1] = self._weight(operator)
            self._operators.append(dataclasses.replace(operator, inputs=tuple(inputs)))
            for name in operator.outputs:
                self._pair(name)
        used = {name for o in self._operators for name in (*o.inputs, *o.outputs)}
        used.update(self._draft.inputs)
        return dataclasses.replace(
            self._draft,
            operators=tuple(self._operators),
            values={name: value for name, value in self._values.items() if name in used},
            origins=self._origins,
        )

    def _reads_raw(self, operator: Operator, maker: Operator | None) -> bool:
        """Tell whether an operator reads what was made before it was rounded."""
        if maker is None:
            return False
        fused = operator.op in ACTIVATIONS and maker.op in (*WEIGHTED, "Add")
        handing_out = operator.op in (*SHUFFLES, "Identity") and any(
            name in self._draft.outputs for name in operator.outputs
        )
        return fused or handing_out

    def _pair(self, name: str) -> None:
        """Write a value's Q/DQ pair, if it gets one."""
        if name not in self._scales:
            return
        scale = self._constant(f"{name}/scale", np.float32(self._scales[name]))
        value = self._values[name]
        stored = self._fresh(f"{name}/q", dataclasses.replace(value, dtype="int8"))
        real = self._fresh(f"{name}/dq", value)
        origin = self._draft.origins.get(name, name)
        self._origins[real] = origin
        self._write("QuantizeLinear", (name, scale, self._zero), stored, {}, origin)
        self._write("DequantizeLinear", (stored, scale, self._zero), real, {}, origin)
        self._made[name] = real

    def _weight(self, operator: Operator) -> str:
        """Write a weight as int8 with one scale an output channel; return its real name."""
        name = operator.inputs[1]
        axis = _channel_axis(operator, self._values[name].rank)
        key = f"{name}/{axis}"
        if key not in self._made:
            value = self._values[name]
            assert value.data is not None, "placement looks for constants"
            stored, scale = _per_channel(value.data, axis)
            names = (
                self._constant(f"{name}/q", stored),
                self._constant(f"{name}/scale", scale),
                self._constant(f"{name}/zero", np.zeros(scale.shape, np.int8)),
            )
            real = self._fresh(f"{name}/dq", dataclasses.replace(value, data=None))
            attributes = {} if axis is None else {"axis": axis}
            self._write("DequantizeLinear", names, real, attributes, operator.origin)
            self._made[key] = real
        return self._made[key]

    def _write(
        self,
        op: str,
        inputs: tuple[str, ...],
        output: str,
        attributes: Mapping[str, int],
        origin: str,
    ) -> None:
        self._operators.append(Operator(op, inputs, (output,), attributes, origin))

    def _constant(self, name: str, data: NDArray[np.generic] | np.generic) -> str:
        array = np.asarray(data)
        return self._fresh(name, Value(name, array.shape, array.dtype.name, data=array))

    def _fresh(self, name: str, value: Value) -> str:
        free, number = name, 1
        while free in self._values:
            number += 1
            free = f"{name}/{number}"
        self._values[free] = dataclasses.replace(value, name=free)
        return free


def _channel_axis(operator: Operator, rank: int) -> int | None:
    """Return the axis of a weight's output channels; None where one scale serves all."""
    if operator.op == "Conv":
        return 0
    if operator.op == "ConvTranspose":
        return 1 if operator.attributes.get("group", 1) == 1 else None
    if rank != 2:
        return None
    return 0 if operator.attributes.get("transB") else 1


def _per_channel(
    weight: NDArray[np.float32], axis: int | None
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Round a weight to -127 to 127; a channel of zeros has scale 1.

    Returns:
        int8 of the weight's shape, and float32 ``[channels]``, or a scalar if there is no axis.
    """
    others = None if axis is None else tuple(n for n in range(weight.ndim) if n != axis)
    reach = np.abs(weight).max(axis=others, keepdims=True).astype(np.float32)
    scale = np.where(reach > 0, reach / np.float32(_GREATEST), np.float32(1))
    rounded = np.rint(weight / scale).clip(-_GREATEST, _GREATEST).astype(np.int8)
    return rounded, scale.reshape(() if axis is None else -1).astype(np.float32)
