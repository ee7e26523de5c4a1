"""The steps of a plan as one PyTorch module."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn

from export.importers.onnx.plan import Operation

__all__ = ["OnnxModule"]


class OnnxModule(nn.Module):
    """Run operations one after the other.

    Every operation is a child named like its node: the names of a lowered file's tensors are made
    of them, so that a layer can be told from its node.

    Args:
        operations: in order.
        inputs: names of the arguments.
        pictures: which arguments are NHWC and turned to the NCHW of the file.
        outputs: names of the results.
    """

    def __init__(
        self,
        operations: Sequence[Operation],
        inputs: Sequence[str],
        pictures: Sequence[bool],
        outputs: Sequence[str],
    ) -> None:
        super().__init__()
        self._inputs, self._pictures, self._outputs = (
            tuple(inputs), tuple(pictures), tuple(outputs),
        )  # fmt: skip
        self._plan: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = []
        for operation in operations:
            child = self._child_name(operation.name)
            self.add_module(child, _Node(operation))
            live = tuple(o for o in operation.step.operands if isinstance(o, str))
            self._plan.append((child, live, operation.results))

    def _child_name(self, name: str) -> str:
        """Return a name that PyTorch takes for a child and that no other has."""
        plain = re.sub(r"[^\w/]", "_", name, flags=re.ASCII) or "node"
        taken, number = plain, 1
        while hasattr(self, taken):
            number += 1
            taken = f"{plain}_{number}"
        return taken

    def forward(self, *tensors: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Return the network's outputs, in its own order and layout; one by itself."""
        values = {
            name: tensor.permute(0, 3, 1, 2) if picture else tensor
            for name, tensor, picture in zip(self._inputs, tensors, self._pictures, strict=True)
        }
        for child, operands, results in self._plan:
            found = self.get_submodule(child)(*(values[name] for name in operands))
            several = found if isinstance(found, (list, tuple)) else (found,)
            values.update(zip(results, several, strict=False))
        outputs = tuple(values[name] for name in self._outputs)
        return outputs if len(outputs) > 1 else outputs[0]


class _Node(nn.Module):
    """One operation with its constants as buffers."""

    def __init__(self, operation: Operation) -> None:
        super().__init__()
        self._function: Callable[..., Any] = operation.step.function
        self._order: list[str | None] = []
        for position, operand in enumerate(operation.step.operands):
            constant = f"constant{position}" if isinstance(operand, Tensor) else None
            self._order.append(constant)
            if constant:
                self.register_buffer(constant, operand)

    def forward(self, *live: Tensor) -> Any:
        """Call the function with constants and live tensors in its own order."""
        tensors = iter(live)
        return self._function(
            *(next(tensors) if name is None else self.get_buffer(name) for name in self._order)
        )


# A lowered file has these in the name of every tensor.
OnnxModule.__module__ = _Node.__module__ = "onnx"
