"""Let operators compute in int8 that the quantiser left in float although the runtime can.

ai-edge-quantizer 0.10 puts DEQUANTIZE before and QUANTIZE after every operator that it does not
know. LiteRT has int8 kernels for many of them; here they get the integers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.anatomy.flatbuffer import pack, set_constant, unpack
from export.quantisation.large import quantisation, rounded
from export.quantisation.scales import CHANNEL_AXIS, FIXED, MOVES, Settled, Steps, places, steps_of

__all__ = ["absorb"]

#: Operators whose kernel takes a scale for each tensor.
_FREE = frozenset("RELU6 RELU_N1_TO_1 RELU_0_TO_1 LEAKY_RELU PRELU ELU ABS EXP LOG".split())
#: Operators that choose between their inputs: those are brought to the result's scale.
_CHOOSERS = frozenset({"MINIMUM"})
#: Operators that give truths, of inputs that are brought to the scale of the first.
_COMPARISONS = frozenset({"GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL"})
#: Operators that give truths, indices or sizes, whatever the scale of what goes in.
_UNTYPED = frozenset({"SHAPE", "ARG_MAX", "ARG_MIN"}) | _COMPARISONS

#: Of a stored bias; the greatest int32 that a float32 can hold.
_MOST = 2**31 - 128

_ABLE = MOVES | _FREE | FIXED.keys() | _CHOOSERS | _UNTYPED


def absorb(
    content: bytes,
    settled: Settled,
    keep_float: frozenset[str],
    layers: frozenset[str] = frozenset(),
    *,
    where: str,
) -> bytes:
    """Move the border of int8 outwards over operators that have an int8 kernel.

    Args:
        content: TFLite file as the quantiser wrote it.
        settled: ranges of the float network.
        keep_float: names of results that stay float.
        layers: names of results of convolutions that the quantiser was told to leave.
        where: the network's name, for messages.

    Returns:
        The file, the same bytes if there is nothing to do; equal input gives equal bytes.
    """
    editor = _Editor(unpack(content, where=where), settled, keep_float, layers - keep_float)
    return pack(editor.model) if editor.run() else content


class _Editor:
    """A quantised network as the schema's ``ModelT``, being changed."""

    def __init__(
        self, model: Any, settled: Settled, keep_float: frozenset[str], layers: frozenset[str]
    ) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self._schema: Any = schema
        self._names = {v: k for k, v in vars(schema.BuiltinOperator).items() if k[0] != "_"}
        self.model, self._graph = model, model.subgraphs[0]
        self._settled, self._keep_float, self._layers = settled, keep_float, layers
        #: The int8 tensor that a float one was made from.
        self._stored: dict[int, int] = {}

    def run(self) -> bool:
        """Change the graph; return whether anything was changed."""
        operators, done = list(self._graph.operators), []
        changed = False
        for place, operator in enumerate(operators):
            name = self._name(operator)
            if name == "DEQUANTIZE" and self._is_int8(operator.inputs[0]):
                self._stored[int(operator.outputs[0])] = int(operator.inputs[0])
            if not self._can_absorb(name, operator):
                done.append(operator)
                continue
            changed = True
            before = self._rewrite(name, operator)
            after = [self._back_to_float(int(o), operators[place + 1 :]) for o in operator.outputs]
            done += [*before, operator, *(extra for extra in after if extra is not None)]
        self._graph.operators = done
        if changed:
            self._drop_idle()
        return changed

    def _can_absorb(self, name: str, operator: Any) -> bool:
        tensors = self._graph.tensors
        floats = [int(i) for i in operator.inputs if i >= 0 and self._is_float(i)]
        named = {tensors[o].name.decode() for o in operator.outputs}
        if named & self._layers:
            return True
        return (
            name in _ABLE
            and any(i in self._stored for i in floats)
            and all(i in self._stored or self._constant(i) is not None for i in floats)
            and not named & self._keep_float
        )

    def _rewrite(self, name: str, operator: Any) -> list[Any]:
        """Give an operator its integers; return what must be computed before it."""
        if name in CHANNEL_AXIS:
            return self._rewrite_layer(name, operator)
        first = next(int(i) for i in operator.inputs if int(i) in self._stored)
        if name in _UNTYPED:
            steps = None
            shared = self._steps(self._stored[first]) if name in _COMPARISONS else None
        elif name in MOVES:
            steps = shared = self._steps(self._stored[first])
        elif name in FIXED:
            steps, shared = FIXED[name], None
        else:
            steps = self._steps_to(operator.outputs[0])
            shared = steps if name in _CHOOSERS else None
        before: list[Any] = []
        operator.inputs = [self._integer(int(i), shared, before) for i in operator.inputs]
        for output in operator.outputs:
            if steps is not None:
                self._retype(int(output), steps)
        return before

    def _rewrite_layer(self, name: str, operator: Any) -> list[Any]:
        """Give a convolution int8 weights a channel, and an int32 bias at the scale of its sums."""
        source, weight, bias = places(name)
        inputs, axis, before = [int(i) for i in operator.inputs], CHANNEL_AXIS[name], []
        if inputs[source] not in self._stored:
            stored_source = self._tensor_like(inputs[source], b"_quantized")
            self._retype(stored_source, self._steps_to(inputs[source]))
            before.append(self._operator("QUANTIZE", inputs[source], stored_source))
            self._stored[inputs[source]] = stored_source
        inputs[source] = self._stored[inputs[source]]
        values = self._constant(inputs[weight])
        assert values is not None, "the quantiser was told to leave a layer of constant weights"
        bounds = self._settled.weights.get(self._graph.tensors[inputs[weight]].name.decode())
        stored, scale = rounded(values, axis, bounds)
        inputs[weight] = self._replaced(inputs[weight], stored, scale, axis)
        if bias < len(inputs) and inputs[bias] >= 0:
            real = self._constant(inputs[bias])
            assert real is not None, "a layer of constant weights has a constant bias"
            scale = scale * np.float32(self._steps(inputs[source])[0])
            sums = np.clip(np.rint(real / scale), -_MOST, _MOST).astype(np.int32)
            inputs[bias] = self._replaced(inputs[bias], sums, scale, 0)
        operator.inputs = inputs
        self._retype(int(operator.outputs[0]), self._steps_to(operator.outputs[0]))
        return before

    def _replaced(
        self, index: int, stored: NDArray[Any], scale: NDArray[np.float32], axis: int
    ) -> int:
        """Turn a constant into integers; where others read it too, they keep it as it was."""
        users = sum(index in operator.inputs for operator in self._graph.operators)
        place = index if users == 1 else self._tensor_like(index, b"_quantized")
        tensor = self._graph.tensors[place]
        tensor.type = getattr(self._schema.TensorType, stored.dtype.name.upper())
        tensor.quantization = quantisation(scale, axis)
        set_constant(self.model, place, stored)
        return place

    def _integer(self, index: int, shared: Steps | None, before: list[Any]) -> int:
        """Return the int8 tensor that stands for an input, at the shared scale if there is one."""
        if index < 0 or not self._is_float(index):
            return index
        values = self._constant(index)
        if values is not None:
            steps = shared or (max(float(np.abs(values).max()), 1e-9) / 127, 0)
            twin = self._tensor_like(index, b"_quantized")
            self._retype(twin, steps)
            stored = np.clip(np.rint(values / steps[0]) + steps[1], -128, 127)
            set_constant(self.model, twin, stored.astype(np.int8))
            return twin
        stored_index = self._stored[index]
        if shared is None or self._steps(stored_index) == shared:
            return stored_index
        twin = self._tensor_like(stored_index, b"_requantized")
        self._retype(twin, shared)
        before.append(self._operator("QUANTIZE", stored_index, twin))
        return twin

    def _back_to_float(self, index: int, later: list[Any]) -> Any | None:
        """Serve those who still read a result as float; return what makes it float."""
        if not self._is_int8(index):
            return None
        real = self._tensor_like(index, b"_dequant")
        self._graph.tensors[real].type = self._schema.TensorType.FLOAT32
        self._graph.tensors[real].quantization = None
        self._stored[real] = index
        for operator in later:
            if self._name(operator) != "QUANTIZE":
                operator.inputs = [real if i == index else int(i) for i in operator.inputs]
        return self._operator("DEQUANTIZE", index, real)

    def _drop_idle(self) -> None:
        """Drop conversions that nobody reads, and those from int8 to the same int8."""
        for operator in list(self._graph.operators):
            if self._name(operator) == "QUANTIZE" and self._is_int8(operator.inputs[0]):
                source, target = int(operator.inputs[0]), int(operator.outputs[0])
                if self._is_int8(target) and self._steps(source) == self._steps(target):
                    self._replace(target, source)
                    self._graph.operators.remove(operator)
        read = {int(i) for op in self._graph.operators for i in op.inputs}
        read |= {int(i) for i in self._graph.outputs}
        self._graph.operators = [
            op
            for op in self._graph.operators
            if self._name(op) != "DEQUANTIZE" or int(op.outputs[0]) in read
        ]

    def _replace(self, old: int, new: int) -> None:
        for operator in self._graph.operators:
            operator.inputs = [new if i == old else int(i) for i in operator.inputs]
        self._graph.outputs = [new if i == old else int(i) for i in self._graph.outputs]
        for signature in self.model.signatureDefs or ():
            for entry in signature.outputs:
                entry.tensorIndex = new if entry.tensorIndex == old else entry.tensorIndex

    def _operator(self, name: str, source: int, target: int) -> Any:
        operator = self._schema.OperatorT()
        operator.inputs, operator.outputs = [source], [target]
        number = getattr(self._schema.BuiltinOperator, name)
        codes = self.model.operatorCodes
        place = next((i for i, c in enumerate(codes) if c.builtinCode == number), None)
        if place is None:
            code = self._schema.OperatorCodeT()
            code.builtinCode, code.deprecatedBuiltinCode, code.version = number, number, 1
            codes.append(code)
            place = len(codes) - 1
        operator.opcodeIndex = place
        return operator

    def _tensor_like(self, index: int, suffix: bytes) -> int:
        old, tensor = self._graph.tensors[index], self._schema.TensorT()
        taken = {t.name for t in self._graph.tensors}
        tensor.name = old.name + suffix
        while tensor.name in taken:
            tensor.name += b"'"
        tensor.shape, tensor.shapeSignature = old.shape, old.shapeSignature
        tensor.type, tensor.quantization, tensor.buffer = old.type, old.quantization, 0
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def _retype(self, index: int, steps: Steps) -> None:
        tensor = self._graph.tensors[index]
        tensor.type = self._schema.TensorType.INT8
        tensor.quantization = quantisation(np.array([steps[0]], np.float32), 0, steps[1])

    def _steps_to(self, index: int) -> Steps:
        return steps_of(self._settled.spans[self._graph.tensors[index].name.decode()])

    def _steps(self, index: int) -> Steps:
        raw = self._graph.tensors[index].quantization
        return float(np.float32(raw.scale[0])), int(raw.zeroPoint[0])

    def _constant(self, index: int) -> NDArray[np.float32] | None:
        tensor = self._graph.tensors[index]
        stored = self.model.buffers[tensor.buffer].data
        if not tensor.buffer or stored is None or not len(stored):
            return None
        values = np.frombuffer(np.asarray(stored, np.uint8).tobytes(), np.float32)
        return values.reshape(tensor.shape if tensor.shape is not None else ())

    def _name(self, operator: Any) -> str:
        return str(self._names[self.model.operatorCodes[operator.opcodeIndex].builtinCode])

    def _is_float(self, index: int) -> bool:
        return bool(self._graph.tensors[index].type == self._schema.TensorType.FLOAT32)

    def _is_int8(self, index: int) -> bool:
        return bool(self._graph.tensors[index].type == self._schema.TensorType.INT8)
