"""Write ONNX operators one after another; constants are folded, layouts changed when needed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.onnx_writer.half import to_half
from export.onnx_writer.infer import Unwritable, evaluate, infer
from export.onnx_writer.values import TO_FIRST, TO_LAST, Attribute, Draft, Operator, Value

__all__ = ["Builder"]

#: Elements of one tensor; more is refused before anything is allocated.
_MAX_ELEMENTS = 256 * 1024 * 1024
#: Constants up to this many elements are written once and shared.
_SHARED = 16


class Builder:
    """A graph in the making.

    Args:
        opset: of ONNX.
        real: dtype of real numbers inside, ``float32`` or ``float16``.

    Attributes:
        opset, real: as given.
        origin: first output of the TFLite operator that is being written.
    """

    def __init__(self, opset: int, real: str) -> None:
        self.opset, self.real = opset, real
        self.origin = ""
        self._operators: list[Operator] = []
        self._values: dict[str, Value] = {}
        self._names: set[str] = set()
        self._origins: dict[str, str] = {}
        self._first: dict[str, Value] = {}
        self._plain: dict[str, Value] = {}
        self._shared: dict[tuple[str, tuple[int, ...], bytes], Value] = {}

    def unique(self, name: str) -> str:
        """Reserve a name; one that is taken gets a number behind it."""
        free, number = name or "value", 1
        while free in self._names:
            number += 1
            free = f"{name}/{number}"
        self._names.add(free)
        return free

    def input(self, name: str, shape: tuple[int, ...], dtype: str) -> Value:
        """Declare an input of the graph under a name that was reserved."""
        value = Value(name, shape, dtype)
        self._values[name] = value
        return value

    def constant(self, values: NDArray[Any], name: str = "constant") -> Value:
        """Return a constant; it is written once an operator uses it. Small ones are shared."""
        array = np.asarray(values, order="C")
        key = (array.dtype.name, array.shape, array.tobytes() if array.size <= _SHARED else b"")
        if array.size <= _SHARED and key in self._shared:
            return self._shared[key]
        value = Value(self.unique(name), array.shape, array.dtype.name, data=array)
        if array.size <= _SHARED:
            self._shared[key] = value
        return value

    def node(
        self,
        op: str,
        inputs: Sequence[Value | None],
        name: str,
        *,
        channels_first: bool = False,
        **attributes: Attribute,
    ) -> Value:
        """Write an operator with one output; see ``nodes``."""
        (value,) = self.nodes(op, inputs, [name], channels_first=channels_first, **attributes)
        return value

    def nodes(
        self,
        op: str,
        inputs: Sequence[Value | None],
        names: Sequence[str],
        *,
        channels_first: bool = False,
        **attributes: Attribute,
    ) -> tuple[Value, ...]:
        """Write an operator and return its outputs.

        An operator whose inputs are all constants is computed instead.

        Args:
            op: its ONNX type.
            inputs: None for one that is left out.
            names: wanted for the outputs; one that is taken gets a number behind it.
            channels_first: how the outputs are stored.
            attributes: of the operator.

        Raises:
            Unwritable: the inputs do not fit the operator, or an output is too large.
        """
        known = [value for value in inputs if value is not None]
        folded = all(value.data is not None for value in known)
        used = inputs if folded else [None if v is None else self._in_real(v) for v in inputs]
        made = infer(op, used, attributes, outputs=len(names), opset=self.opset)
        for shape, _ in made:
            if np.prod(shape, dtype=np.float64) > _MAX_ELEMENTS:
                raise Unwritable(f"gives {list(shape)}, more than {_MAX_ELEMENTS} numbers")
        if folded:
            arrays = evaluate(op, inputs, attributes, self.opset)
            return tuple(
                Value(self.unique(name), array.shape, array.dtype.name, channels_first, array)
                for name, array in zip(names, arrays, strict=True)
            )
        outputs = tuple(
            Value(self.unique(name), shape, dtype, channels_first and len(shape) == 4)
            for name, (shape, dtype) in zip(names, made, strict=True)
        )
        self._append(op, used, outputs, attributes)
        return outputs

    def output(self, value: Value, name: str, dtype: str) -> Value:
        """Write what hands a value over as an output of the graph, in the TFLite file's layout.

        Args:
            value: what the TFLite file gives out.
            name: reserved before.
            dtype: of the output; real numbers are cast to it.
        """
        made = Value(name, value.logical, dtype)
        if value.dtype != dtype and value.data is None:
            self._append("Cast", [self.plain(value)], (made,), {"to": dtype})
        elif value.channels_first and value.data is None and value.name not in self._plain:
            self._move(value, TO_LAST, made)
        else:
            self._append("Identity", [self.plain(value)], (made,), {})
        return made

    def plain(self, value: Value) -> Value:
        """Return a value in the TFLite file's own layout."""
        if not value.channels_first:
            return value
        if value.data is not None:
            moved = np.ascontiguousarray(value.data.transpose(TO_LAST))
            return Value(self.unique(f"{value.name}/nhwc"), moved.shape, value.dtype, data=moved)
        if value.name not in self._plain:
            result = self._moved(value, TO_LAST, f"{value.name}/nhwc", channels_first=False)
            self._plain[value.name] = result
            self._first[result.name] = value
        return self._plain[value.name]

    def first(self, value: Value, name: str = "") -> Value:
        """Return a value of rank 4 channels first.

        Args:
            value: to convert.
            name: wanted, should there have to be an operator.

        Raises:
            Unwritable: it has another rank.
        """
        if value.rank != 4:
            raise Unwritable(f"takes a picture and {value.name} has shape {list(value.logical)}")
        if value.channels_first:
            return value
        if value.data is not None:
            moved = np.ascontiguousarray(value.data.transpose(TO_FIRST))
            fresh = self.unique(f"{value.name}/nchw")
            return Value(fresh, moved.shape, value.dtype, channels_first=True, data=moved)
        if value.name not in self._first:
            result = self._moved(value, TO_FIRST, name or f"{value.name}/nchw", channels_first=True)
            self._first[value.name] = result
            self._plain[result.name] = value
        return self._first[value.name]

    def holds(self, value: Value, tensor: str) -> None:
        """Note that a value holds the real values of a TFLite tensor."""
        self._origins[value.name] = tensor

    def draft(self, inputs: Sequence[Value], outputs: Sequence[Value]) -> Draft:
        """Return what was written."""
        return Draft(
            tuple(self._operators),
            dict(self._values),
            tuple(value.name for value in inputs),
            tuple(value.name for value in outputs),
            dict(self._origins),
        )

    def _moved(
        self, value: Value, order: tuple[int, ...], name: str, *, channels_first: bool
    ) -> Value:
        shape = tuple(value.shape[axis] for axis in order)
        result = Value(self.unique(name), shape, value.dtype, channels_first)
        self._move(value, order, result)
        if value.name in self._origins:
            self.holds(result, self._origins[value.name])
        return result

    def _move(self, value: Value, order: tuple[int, ...], result: Value) -> None:
        """Write the change of layout; where the numbers stay in their order it is a Reshape."""
        if value.same_order:
            shape = self.constant(np.array(result.shape, np.int64), f"{value.name}/shape")
            self._append("Reshape", [value, shape], (result,), {})
        else:
            self._append("Transpose", [value], (result,), {"perm": list(order)})

    def _append(
        self,
        op: str,
        inputs: Sequence[Value | None],
        outputs: tuple[Value, ...],
        attributes: Mapping[str, Attribute],
    ) -> None:
        for value in (*inputs, *outputs):
            if value is not None:
                self._values[value.name] = value
        names = tuple("" if value is None else value.name for value in inputs)
        made = tuple(value.name for value in outputs)
        self._operators.append(Operator(op, names, made, attributes, self.origin))

    def _in_real(self, value: Value) -> Value:
        """Return a constant in the dtype that real numbers have inside."""
        if value.data is None or value.dtype != "float32" or self.real == "float32":
            return value
        return dataclasses.replace(value, data=to_half(value.data, value.name), dtype="float16")
