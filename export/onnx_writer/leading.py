"""Let the first axis of a graph, which is 1 in the file, become longer: several faces in one call.

A file says 1 where its inputs and outputs are declared, and there alone, so that whoever runs it
may put another number, or a symbol, in the place of the inputs' 1: TensorRT's builder does. Two
operators would name it again:

- Reshape: its shape begins with 0, which copies the input's first axis (``allowzero`` is 0), or
  with -1, which is what the other axes leave over, where the first axis is joined with others or
  parted from them. The result for one is the same;
- Resize: scales stand in the place of sizes, where float32 holds them exactly, so that no pixel
  moves. Other Resizes keep their sizes, and such a file its 1.

What really works on the first axis (a Concat along it, say) stays: it has no several faces.
"""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.onnx_writer.values import Draft, Operator, Value

__all__ = ["free_leading"]


def free_leading(draft: Draft) -> Draft:
    """Return the draft with nothing in its operators that names the length of the first axis."""
    writer = _Writer(draft)
    operators = tuple(map(writer.write, draft.operators))
    used = {name for operator in operators for name in (*operator.inputs, *operator.outputs)}
    used.update(draft.inputs)
    values = {name: value for name, value in writer.values.items() if name in used}
    return dataclasses.replace(draft, operators=operators, values=values)


class _Writer:
    """Operators being written anew.

    Attributes:
        values: of the draft, and the constants that were made.
    """

    def __init__(self, draft: Draft) -> None:
        self.values = dict(draft.values)
        self._made: dict[tuple[str, bytes], str] = {}

    def write(self, operator: Operator) -> Operator:
        """Return an operator, free of the first axis where it can be."""
        if operator.op == "Reshape":
            source, shape = (self.values[name] for name in operator.inputs)
            if shape.data is not None and shape.data.size:
                freed = self._constant(_freed_shape(source, shape.data), operator)
                return dataclasses.replace(operator, inputs=(source.name, freed))
        elif operator.op == "Resize":
            source, sizes = (self.values[operator.inputs[i]] for i in (0, 3))
            scales = None if sizes.data is None else _scales(source, sizes.data)
            if scales is not None:
                freed = self._constant(scales, operator)
                return dataclasses.replace(operator, inputs=(source.name, "", freed))
        return operator

    def _constant(self, array: NDArray[Any], operator: Operator) -> str:
        """Return the name of a constant; equal ones are one."""
        key = array.dtype.name, array.tobytes()
        if key not in self._made:
            name = f"{operator.outputs[0]}/{operator.op}/numbers"
            while name in self.values:
                name += "_"
            self.values[name] = Value(name, array.shape, array.dtype.name, data=array)
            self._made[key] = name
        return self._made[key]


def _freed_shape(source: Value, shape: NDArray[Any]) -> NDArray[np.int64]:
    """Return the shape of a Reshape without the length of its first axis."""
    freed = shape.astype(np.int64)
    if source.rank and source.shape[0] == shape[0]:
        freed[0] = 0
    elif source.size:
        freed[0] = -1
    return freed


def _scales(source: Value, sizes: NDArray[Any]) -> NDArray[np.float32] | None:
    """Return what a Resize multiplies by; None where float32 does not hold it exactly."""
    exact = [Fraction(int(new), old) for new, old in zip(sizes, source.shape, strict=True)]
    scales = np.array([float(scale) for scale in exact], np.float32)
    held = all(Fraction(float(s)) == e for s, e in zip(scales, exact, strict=True))
    return scales if held else None
