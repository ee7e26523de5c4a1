"""One walk over a graph: what is known is computed, what is not becomes an operation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from edge.errors import ConfigError, DataError
from export.importers.onnx.graph import Node, OnnxGraph
from export.importers.onnx.steps import BUILDERS
from export.importers.onnx.table import OPERATORS
from export.importers.onnx.view import NodeView, Step

__all__ = ["Operation", "Plan", "make_plan"]

#: Elements of one tensor between operations, as the contract allows for inputs and outputs.
_MOST_ELEMENTS = 64 * 1024 * 1024
#: Elements of all constants that are computed, together.
_MOST_COMPUTED = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """One step of the module.

    Attributes:
        name: of the node.
        step: its function; operands that are names are results of earlier operations or inputs.
        results: names.
    """

    name: str
    step: Step
    results: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What a module does.

    Attributes:
        operations: in order; only those that the outputs need.
        shapes: of every value that is not known, by name.
        views: of the nodes, in the file's order.
    """

    operations: tuple[Operation, ...]
    shapes: Mapping[str, tuple[int, ...]]
    views: tuple[NodeView, ...]


def make_plan(graph: OnnxGraph, inputs: Mapping[str, tuple[int, ...]], path: Path) -> Plan:
    """Give every node its meaning, with the shapes that follow from those of the inputs.

    Args:
        graph: all of whose operators are in the table.
        inputs: shapes, as the file has them (NCHW), by name.
        path: the file, for messages.

    Raises:
        ConfigError: a node does not take what it is given, or is of a kind that is not supported;
            it is named.
        DataError: weights are not finite, or a tensor would be too large.
    """
    walk = _Walk(graph, path)
    for name, shape in inputs.items():
        walk.check_size(shape, f"input {name!r}")
        walk.values[name] = torch.empty(shape, device="meta")
    for node in graph.nodes:
        walk.visit(node)
    for name in graph.outputs:
        value = walk.values[name]
        if not value.is_meta or value.dtype != torch.float32:
            what = "is not float32" if value.is_meta else "does not depend on any input"
            raise ConfigError(f"{path}: output {name!r} {what}", code="source.operator")
    shapes = {n: tuple(v.shape) for n, v in walk.values.items() if v.is_meta}
    return Plan(_needed(walk.operations, graph.outputs), shapes, tuple(walk.views))


class _Walk:
    """What is known so far.

    Args:
        graph: that is walked.
        path: the file, for messages.
    """

    def __init__(self, graph: OnnxGraph, path: Path) -> None:
        self.values = {name: torch.from_numpy(a) for name, a in graph.constants.items()}
        self.operations: list[Operation] = []
        self.views: list[NodeView] = []
        self._makers: dict[str, NodeView] = {}
        self._opset, self._path = graph.opset, path
        self._computed = 0

    def visit(self, node: Node) -> None:
        """Take one node, whose inputs have been made."""
        view = NodeView(node, self._opset, self.values, self._makers, str(self._path))
        self.views.append(view)
        row = OPERATORS[node.op]
        for position in row.constant:
            if view.has(position) and view.known(position) is None:
                raise view.refusal(f"has input {position}, which is not constant")
        step = _build(view)
        shapes = _results(view, step, meta=True)
        for value in shapes:
            self.check_size(tuple(value.shape), str(node))
        known = all(self._known(operand) for operand in step.operands)
        if known:
            self._computed += sum(value.numel() for value in shapes)
            if self._computed > _MOST_COMPUTED:
                raise DataError(f"{self._path}: {node}: too large constants", code="source.size")
            shapes = _results(view, step, meta=False)
        elif row.folds:
            raise view.refusal("is supported only where its result is constant")
        else:
            self._add(view, step, shapes)
        for name, value in zip(node.outputs, shapes, strict=False):
            if name:
                self.values[name] = value
                self._makers[name] = view

    def check_size(self, shape: tuple[int, ...], what: str) -> None:
        """Refuse what no board could hold."""
        if math.prod(shape) > _MOST_ELEMENTS:
            raise DataError(
                f"{self._path}: {what} is a tensor of {list(shape)}, which is too large",
                code="source.size",
            )

    def _known(self, operand: str | Tensor) -> bool:
        return isinstance(operand, Tensor) or not self.values[operand].is_meta

    def _add(self, view: NodeView, step: Step, shapes: tuple[Tensor, ...]) -> None:
        """Add an operation; names of what is known become the constants themselves."""
        operands = tuple(
            self.values[o] if isinstance(o, str) and self._known(o) else o for o in step.operands
        )
        if not all(bool(torch.isfinite(o).all()) for o in operands if isinstance(o, Tensor)):
            names = [n for n in view.inputs if not bool(torch.isfinite(self._shown(n)).all())]
            raise DataError(
                f"{self._path}: {view.node} reads {', '.join(map(repr, names)) or 'constants'}, "
                "which holds values that are not finite",
                code="source.damaged",
            )
        if any(value.dtype not in (torch.float32, torch.bool) for value in shapes):
            raise view.refusal("computes with whole numbers")
        if any(value.numel() == 0 for value in shapes):
            raise view.refusal(f"makes nothing of {', '.join(map(str, view.shapes))}")
        results = view.node.outputs[: len(shapes)]
        self.operations.append(Operation(view.node.name, Step(step.function, operands), results))

    def _shown(self, name: str) -> Tensor:
        value = self.values[name]
        return torch.zeros(()) if value.is_meta else value


def _build(view: NodeView) -> Step:
    try:
        return BUILDERS[view.node.op](view)
    except (ArithmeticError, IndexError, TypeError, ValueError, RuntimeError) as error:
        raise _misfit(view, error) from error


def _results(view: NodeView, step: Step, *, meta: bool) -> tuple[Tensor, ...]:
    """Run a step, on tensors without memory or on the constants themselves."""
    operands = [view.value(o) if isinstance(o, str) else o for o in step.operands]
    # PyTorch raises whatever the sizes make it raise.
    try:
        with torch.no_grad():
            found = step.function(*(o.to("meta") if meta else o for o in operands))
    except (ArithmeticError, IndexError, TypeError, ValueError, RuntimeError) as error:
        raise _misfit(view, error) from error
    return tuple(found) if isinstance(found, (list, tuple)) else (found,)


def _misfit(view: NodeView, error: Exception) -> ConfigError:
    shapes = ", ".join(
        str(list(view.shape(p))) for p in range(len(view.node.inputs)) if view.has(p)
    )
    reason = (str(error) or type(error).__name__).splitlines()[0][:200]
    return view.refusal(
        f"does not take inputs of {shapes}: {reason}", hint="give another size with --imgsz HxW"
    )


def _needed(operations: list[Operation], outputs: tuple[str, ...]) -> tuple[Operation, ...]:
    """Leave out what steps have made superfluous by reaching behind their inputs."""
    wanted, kept = set(outputs), []
    for operation in reversed(operations):
        if wanted & set(operation.results):
            kept.append(operation)
            wanted.update(o for o in operation.step.operands if isinstance(o, str))
    return tuple(reversed(kept))
