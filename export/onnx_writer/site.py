"""One TFLite operator, about to be written as ONNX."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchmarks.anatomy.graph import Node, Tensor
from export.onnx_writer.builder import Builder
from export.onnx_writer.infer import Unwritable
from export.onnx_writer.values import TO_FIRST, Attribute, Value

__all__ = ["Emitter", "Site", "activate", "same_padding"]

#: TFLite's fused activations: the ONNX operator and the ends of a Clip.
_FUSED: dict[str, tuple[str, tuple[float, float] | None]] = {
    "RELU": ("Relu", None),
    "RELU6": ("Clip", (0.0, 6.0)),
    "RELU_N1_TO_1": ("Clip", (-1.0, 1.0)),
    "RELU_0_TO_1": ("Clip", (0.0, 1.0)),
    "TANH": ("Tanh", None),
}


class Site:
    """One TFLite operator, its inputs as ONNX has them, and where its outputs go.

    Args:
        builder: of the graph.
        node: the TFLite operator.
        inputs: None for one that is left out.
        outputs: the tensors it makes.

    Attributes:
        builder, node, outputs: as given.
        name: of the first output.
        results: what was written, in the order of ``outputs``.
    """

    def __init__(
        self,
        builder: Builder,
        node: Node,
        inputs: Sequence[Value | None],
        outputs: Sequence[Tensor],
    ) -> None:
        self.builder, self.node = builder, node
        self.outputs = tuple(outputs)
        self.name = self.outputs[0].name
        self.results: list[Value] = []
        self._inputs = tuple(inputs)

    @property
    def count(self) -> int:
        """Number of inputs."""
        return len(self._inputs)

    def input(self, place: int) -> Value:
        """Return an input.

        Raises:
            Unwritable: it is left out.
        """
        value = self.optional(place)
        if value is None:
            raise Unwritable(f"has no input {place}")
        return value

    def optional(self, place: int) -> Value | None:
        """Return an input that may be left out."""
        return self._inputs[place] if place < len(self._inputs) else None

    def plain(self, place: int) -> Value:
        """Return an input in the TFLite file's layout."""
        return self.builder.plain(self.input(place))

    def first(self, place: int) -> Value:
        """Return an input channels first."""
        return self.builder.first(self.input(place))

    def array(self, place: int) -> NDArray[np.float32]:
        """Return a constant input of real numbers, in the TFLite file's layout.

        Raises:
            Unwritable: it is computed.
        """
        value = self.plain(place)
        if value.data is None:
            raise Unwritable(f"input {place} ({value.name}) must be a constant")
        return value.data

    def numbers(self, place: int) -> list[int]:
        """Return a constant input of whole numbers, flat.

        Raises:
            Unwritable: it is computed.
        """
        return [int(n) for n in self.array(place).reshape(-1)]

    def option(self, key: str, default: int = 0) -> int:
        """Return an option that is a whole number or a flag."""
        return int(self.real(key, default))

    def real(self, key: str, default: float) -> float:
        """Return an option that is a real number."""
        value = self.node.options.get(key, default)
        if not isinstance(value, (int, float)):
            raise Unwritable(f"has {key} {value}")
        return value

    def text(self, key: str, default: str = "") -> str:
        """Return an option that is a name of an enumeration."""
        return str(self.node.options.get(key, default))

    def whole(self, values: ArrayLike) -> Value:
        """Return a constant of int64."""
        return self.builder.constant(np.asarray(values, np.int64), f"{self.name}/numbers")

    def scalar(self, value: float) -> Value:
        """Return a constant of one real number."""
        return self.builder.constant(np.asarray(value, np.float32), f"{self.name}/number")

    def emit(
        self,
        op: str,
        inputs: Sequence[Value | None],
        *,
        channels_first: bool = False,
        **attributes: Attribute,
    ) -> Value:
        """Write an operator on the way to the result."""
        name = f"{self.name}/{op}"
        return self.builder.node(op, inputs, name, channels_first=channels_first, **attributes)

    def result(
        self,
        op: str,
        inputs: Sequence[Value | None],
        *,
        channels_first: bool = False,
        **attributes: Attribute,
    ) -> None:
        """Write the operator that gives the (next) output, and its fused activation."""
        act = self.text("fusedActivationFunction", "NONE")
        target = self.outputs[len(self.results)].name
        name = target if act == "NONE" else f"{target}/linear"
        value = self.builder.node(op, inputs, name, channels_first=channels_first, **attributes)
        self.results.append(activate(self.builder, act, value, target))

    def alias(self, value: Value, *, channels_first: bool) -> None:
        """Let a value that is there be the output, read in another layout."""
        self.results.append(dataclasses.replace(value, channels_first=channels_first))

    def alike(self, places: Sequence[int]) -> tuple[list[Value], bool]:
        """Return inputs in one layout, and whether that is channels first.

        Pictures stay channels first where one is so already; constants follow, with axes of
        length one in front where they have fewer.
        """
        values = [self.input(place) for place in places]
        moving = [value for value in values if value.data is None]
        first = any(value.channels_first for value in moving) and all(
            value.rank == 4 for value in moving
        )
        if not first:
            return [self.builder.plain(value) for value in values], False
        return [self._first(value) for value in values], True

    def _first(self, value: Value) -> Value:
        if value.data is None or value.channels_first or value.rank > 4 or value.size == 1:
            return (
                value if value.size == 1 and value.data is not None else self.builder.first(value)
            )
        wide = value.data.reshape((1,) * (4 - value.rank) + value.shape)
        return self.builder.constant(
            np.ascontiguousarray(wide.transpose(TO_FIRST)), f"{value.name}/nchw"
        )


#: Writes one TFLite operator.
Emitter = Callable[[Site], None]


def activate(builder: Builder, act: str, value: Value, name: str) -> Value:
    """Write a fused activation; ``NONE`` returns the value itself.

    Raises:
        Unwritable: ONNX has no such activation.
    """
    if act == "NONE":
        return value
    if act not in _FUSED:
        raise Unwritable(f"fused activation {act} is not supported")
    op, ends = _FUSED[act]
    inputs: list[Value | None] = [value]
    if ends is not None:
        inputs += [builder.constant(np.asarray(end, np.float32), "number") for end in ends]
    return builder.node(op, inputs, name, channels_first=value.channels_first)


def same_padding(size: int, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """Return how many pixels TFLite's SAME adds before and behind: the odd one behind."""
    reach = (kernel - 1) * dilation + 1
    total = max(0, (-(-size // stride) - 1) * stride + reach - size)
    return total // 2, total - total // 2
