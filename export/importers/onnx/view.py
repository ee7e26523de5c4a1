"""What the meaning of an operator is built from: one node with what is known of its inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from edge.errors import ConfigError
from export.importers.onnx.graph import Node

__all__ = ["Builder", "NodeView", "Step"]

#: Numbers that an input which says how may have.
_MOST_SETTINGS = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One operation of the module.

    Attributes:
        function: from tensors to a tensor or a tuple of them; all sizes in it are plain ints.
        operands: what it is called with: names of values, or constants of its own.
    """

    function: Callable[..., Any]
    operands: tuple[str | Tensor, ...]


class NodeView:
    """One node, with the shapes and the constants that go into it.

    Args:
        node: of the graph.
        opset: version of the operators.
        values: tensors by name; what is not known when the file is read is on the meta device,
            which has shapes and no numbers.
        makers: views of earlier nodes by the names of their results.
        where: the file, for messages.
    """

    def __init__(
        self,
        node: Node,
        opset: int,
        values: Mapping[str, Tensor],
        makers: Mapping[str, NodeView],
        where: str,
    ) -> None:
        self.node, self.opset = node, opset
        self._values, self._makers, self._where = values, makers, where

    def refusal(self, what: str, *, hint: str = "") -> ConfigError:
        """Return the error that says what of this node is not supported."""
        return ConfigError(f"{self._where}: {self.node} {what}", hint=hint, code="source.operator")

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of all inputs that are there."""
        return tuple(name for name in self.node.inputs if name)

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of all inputs that are there."""
        return tuple(tuple(self._values[name].shape) for name in self.inputs)

    @property
    def result(self) -> tuple[int, ...]:
        """Shape of the first result, once it has been made."""
        return tuple(self._values[self.node.outputs[0]].shape)

    def has(self, position: int) -> bool:
        """Tell whether an input is there."""
        return position < len(self.node.inputs) and bool(self.node.inputs[position])

    def name(self, position: int) -> str:
        """Return the name of an input that is there."""
        return self.node.inputs[position]

    def value(self, name: str) -> Tensor:
        """Return an earlier value; on the meta device where its numbers are not known."""
        return self._values[name]

    def shape(self, position: int = 0) -> tuple[int, ...]:
        """Return the shape of an input that is there."""
        return tuple(self._values[self.node.inputs[position]].shape)

    def rank(self, position: int = 0) -> int:
        """Return the number of dimensions of an input that is there."""
        return len(self.shape(position))

    def known(self, position: int) -> Tensor | None:
        """Return an input whose numbers are known; None if they are not, or it is not there."""
        value = self._values[self.node.inputs[position]] if self.has(position) else None
        return None if value is None or value.is_meta else value

    def constant(self, position: int) -> Tensor:
        """Return an input that the table says is constant."""
        value = self.known(position)
        if value is None:
            raise self.refusal(f"needs its input {position}")
        return value

    def whole(self, position: int) -> tuple[int, ...] | None:
        """Return the integers of a constant input; None if it is not there."""
        value = self.known(position)
        if value is None:
            return None
        if value.is_floating_point() or value.numel() > _MOST_SETTINGS:
            raise self.refusal(f"has input {position}, which is not of a few integers")
        return tuple(int(n) for n in value.reshape(-1).tolist())

    def axis(self, default: int, *, attribute: str = "axis", rank: int | None = None) -> int:
        """Return an axis of the first input, counted from the front."""
        return self.axes_of((self.integer(attribute, default),), rank=rank)[0]

    def axes_of(self, axes: Sequence[int], *, rank: int | None = None) -> tuple[int, ...]:
        """Count axes from the front and check them against the rank of the first input."""
        count = self.rank() if rank is None else rank
        if any(not -count <= axis < count for axis in axes):
            raise self.refusal(f"has axes {list(axes)} for {count} dimensions")
        found = tuple(axis % count for axis in axes)
        if len(set(found)) < len(found):
            raise self.refusal(f"names an axis of {list(axes)} twice")
        return found

    def maker(self, op: str, position: int = 0) -> NodeView | None:
        """Return the node that makes an input, if it is such an operator."""
        found = self._makers.get(self.node.inputs[position]) if self.has(position) else None
        return found if found is not None and found.node.op == op else None

    def integer(self, name: str, default: int) -> int:
        """Return an attribute."""
        return int(self._attribute(name, default, int))

    def number(self, name: str, default: float) -> float:
        """Return an attribute, with the value that float32 has."""
        return float(np.float32(self._attribute(name, default, float)))

    def text(self, name: str, default: str) -> str:
        """Return an attribute."""
        return str(self._attribute(name, default, str))

    def integers(self, name: str) -> tuple[int, ...] | None:
        """Return an attribute; None if it is not there."""
        value = self._attribute(name, None, tuple)
        if value is not None and not all(isinstance(n, int) for n in value):
            raise self.refusal(f"has attribute {name!r}, which is not of integers")
        return value

    def step(self, function: Callable[..., Any], *operands: str | Tensor) -> Step:
        """Return a step on these operands; on all inputs if none are named."""
        return Step(function, operands or self.inputs)

    def _attribute(self, name: str, default: Any, kind: type) -> Any:
        value = self.node.attributes.get(name, default)
        if value is not default and type(value) is not kind:
            raise self.refusal(f"has attribute {name!r} of the wrong kind")
        return value

    def tensor(self, name: str) -> Tensor | None:
        """Return an attribute that is a tensor; None if it is not there."""
        value = self._attribute(name, None, np.ndarray)
        return None if value is None else torch.from_numpy(value)


#: From a node to its meaning.
Builder = Callable[[NodeView], Step]
