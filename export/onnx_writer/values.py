"""What an ONNX graph in the making is made of: values, operators, the draft of the whole."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

__all__ = ["TO_FIRST", "TO_LAST", "Attribute", "Draft", "Operator", "Value", "stored_axis"]

#: Attribute of an ONNX operator; ``to`` of a Cast is a NumPy name.
Attribute = int | float | str | list[int]

#: From NHWC to NCHW and back: axis ``k`` of the result is axis ``TO_FIRST[k]`` of the source.
TO_FIRST = (0, 3, 1, 2)
TO_LAST = (0, 2, 3, 1)


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """One tensor as ONNX has it.

    Attributes:
        name: unique in the graph.
        shape: as stored.
        dtype: NumPy's name.
        channels_first: stored NCHW where the TFLite file says NHWC; rank 4 only.
        data: of a constant, as stored; else None.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    channels_first: bool = False
    data: NDArray[Any] | None = None

    @property
    def rank(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def logical(self) -> tuple[int, ...]:
        """Shape as the TFLite file has it: NHWC for a picture."""
        if not self.channels_first:
            return self.shape
        return tuple(self.shape[axis] for axis in TO_LAST)

    @property
    def same_order(self) -> bool:
        """Whether NCHW and NHWC are the same sequence of numbers: one channel, or one pixel."""
        if self.rank != 4:
            return False
        _, height, width, channels = self.logical
        return channels == 1 or height * width == 1

    def axis(self, logical: int) -> int:
        """Return where an axis of the logical shape is stored; negative ones count from the end.

        Raises:
            ValueError: there is no such axis.
        """
        return stored_axis(logical, self.rank, channels_first=self.channels_first)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


def stored_axis(logical: int, rank: int, *, channels_first: bool) -> int:
    """Return where an axis of the logical shape is stored; negative ones count from the end.

    Raises:
        ValueError: there is no such axis.
    """
    if not -rank <= logical < rank:
        raise ValueError(f"has axis {logical} of {rank}")
    return TO_FIRST.index(logical % rank) if channels_first else logical % rank


@dataclass(frozen=True, slots=True, eq=False)
class Operator:
    """One ONNX operator.

    Attributes:
        op: its type, of the default domain.
        inputs: names; an input that is left out is empty.
        outputs: names.
        attributes: by name.
        origin: name of the TFLite operator's first output.
    """

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute]
    origin: str


@dataclass(frozen=True, slots=True, eq=False)
class Draft:
    """A whole graph.

    Attributes:
        operators: in the order of execution.
        values: by name; every input, output, activation and constant that an operator uses.
        inputs, outputs: names, in order.
        origins: name of a value to the TFLite tensor whose real values it holds.
    """

    operators: tuple[Operator, ...]
    values: Mapping[str, Value]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    origins: Mapping[str, str]

    def readers(self) -> dict[str, list[Operator]]:
        """Return the operators that read each value."""
        table: dict[str, list[Operator]] = {}
        for operator in self.operators:
            for name in dict.fromkeys(operator.inputs):
                table.setdefault(name, []).append(operator)
        return table

    def makers(self) -> dict[str, Operator]:
        """Return the operator that makes each activation."""
        return {name: op for op in self.operators for name in op.outputs}
