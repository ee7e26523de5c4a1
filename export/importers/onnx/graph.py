"""An ONNX graph as plain nodes in order: only those that the outputs need, each one understood."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from edge.errors import ConfigError, DataError
from export.importers.onnx.file import opset_of
from export.importers.onnx.table import OPERATORS
from export.importers.onnx.tensors import TensorReader

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["Attribute", "Node", "OnnxGraph", "Opening", "read_graph"]

#: What an attribute can hold; a tensor is read like an initializer.
Attribute = int | float | str | tuple[int, ...] | tuple[float, ...] | NDArray[Any]

_OWN = ("", "ai.onnx")
#: AttributeProto.AttributeType (onnx.proto) and the field that holds the value.
_FIELDS = {1: "f", 2: "i", 3: "s", 6: "floats", 7: "ints"}
_TENSOR = 4


@dataclass(frozen=True, slots=True)
class Node:
    """One operator.

    Attributes:
        op: name, with its domain in front if that is not ONNX's own.
        name: as written; of a node without one, its first output's.
        inputs: names of values; empty for one that is left out.
        outputs: names of values.
        attributes: by name.
    """

    op: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute]

    def __str__(self) -> str:
        return f"node {self.name!r} ({self.op})"


@dataclass(frozen=True, slots=True)
class Opening:
    """An input as the file declares it.

    Attributes:
        name: of the value.
        dims: sizes; None where the file leaves one open.
        kind: TensorProto.DataType.
    """

    name: str
    dims: tuple[int | None, ...]
    kind: int


@dataclass(frozen=True, slots=True)
class OnnxGraph:
    """What the outputs need of a file.

    Attributes:
        nodes: each after those whose results it reads.
        constants: initializers by name: float32, int64 or bool.
        inputs: those that are read.
        outputs: names of values, in the file's order.
        opset: version of the operators.
    """

    nodes: tuple[Node, ...]
    constants: Mapping[str, NDArray[Any]]
    inputs: tuple[Opening, ...]
    outputs: tuple[str, ...]
    opset: int


def read_graph(model: ModelProto, path: Path) -> OnnxGraph:
    """Take a parsed file apart.

    Args:
        model: parsed; nothing in it has been checked.
        path: where it came from; external data is looked for beside it.

    Raises:
        ConfigError: operators, attributes or results are used that the importer does not know; all
            unknown operators are named at once.
        DataError: the graph is no graph: values that nobody makes, that are made twice or after
            they are read; or a tensor cannot be read.
    """
    graph = model.graph
    _check_text(graph, path)
    opset = opset_of(model, path)
    stored = _unique([(proto.name, proto) for proto in graph.initializer], "initializer", path)
    outputs = tuple(value.name for value in graph.output)
    protos = _needed(graph.node, outputs, path)
    # Old files list every initializer as an input as well.
    openings = [_opening(value) for value in graph.input if value.name not in stored]
    read = {name for proto in protos for name in proto.input} | set(outputs)
    _check_order(protos, {*stored, *(o.name for o in openings)}, outputs, path)
    _check_operators(protos, path)
    tensors = TensorReader(path)
    nodes = tuple(_node(proto, tensors, path) for proto in protos)
    for node in nodes:
        _check_node(node, read, path)
    return OnnxGraph(
        nodes=nodes,
        constants={name: tensors.read(p, name) for name, p in stored.items() if name in read},
        inputs=tuple(opening for opening in openings if opening.name in read),
        outputs=outputs,
        opset=opset,
    )


def _check_text(graph: Any, path: Path) -> None:
    """Refuse names that are no UTF-8: the parser hands those out as bytes."""
    names = [v.name for values in (graph.initializer, graph.input, graph.output) for v in values]
    for proto in graph.node:
        names += (proto.op_type, proto.domain, proto.name, *proto.input, *proto.output)
        names += (attribute.name for attribute in proto.attribute)
    if not all(isinstance(name, str) for name in names):
        raise DataError(f"{path}: has names that are no text", code="source.damaged")


def _unique(pairs: Sequence[tuple[str, Any]], what: str, path: Path) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for name, value in pairs:
        if name in table:
            raise DataError(f"{path}: two times {what} {name!r}", code="source.damaged")
        table[name] = value
    return table


def _needed(protos: Sequence[Any], outputs: Sequence[str], path: Path) -> list[Any]:
    """Return the nodes that the outputs depend on, in the file's order."""
    made = [(name, i) for i, proto in enumerate(protos) for name in proto.output if name]
    maker = _unique(made, "a node that makes", path)
    waiting, needed = list(outputs), set()
    while waiting:
        position = maker.get(waiting.pop())
        if position is not None and position not in needed:
            needed.add(position)
            waiting.extend(protos[position].input)
    return [protos[position] for position in sorted(needed)]


def _check_order(
    protos: Sequence[Any], known: set[str], outputs: Sequence[str], path: Path
) -> None:
    later = {name for proto in protos for name in proto.output if name}
    for name in known & later:
        raise DataError(f"{path}: two makers of {name!r}", code="source.damaged")
    for name in outputs:
        if name not in later:
            raise ConfigError(f"{path}: output {name!r} is made by no node", code="source.operator")
    ready = known | {""}
    for proto in protos:
        for name in proto.input:
            if name not in ready:
                what = "only later, or by itself" if name in later else "never"
                raise DataError(
                    f"{path}: node {_label(proto)!r} ({proto.op_type}) reads {name!r}, which is "
                    f"made {what}",
                    code="source.damaged",
                )
        ready.update(proto.output)


def _check_operators(protos: Sequence[Any], path: Path) -> None:
    unknown: dict[str, list[str]] = {}
    for proto in protos:
        op = _op(proto)
        if op not in OPERATORS:
            unknown.setdefault(op, []).append(_label(proto))
    if unknown:
        listed = (
            f"{op} (node {names[0]!r}{f' and {len(names) - 1} more' * (len(names) > 1)})"
            for op, names in sorted(unknown.items())
        )
        raise ConfigError(
            f"{path}: operators that are not supported: {', '.join(listed)}",
            hint="export the network without them, or end it before them",
            code="source.operator",
        )


def _check_node(node: Node, read: set[str], path: Path) -> None:
    row = OPERATORS[node.op]
    least, most = row.inputs
    problem = ""
    if not least <= len(node.inputs) <= most or not all(node.inputs[:least]):
        problem = f"has {len(node.inputs)} inputs and takes {least} to {most}"
    strange = sorted(set(node.attributes) - row.attributes)
    if strange:
        problem = f"has attribute {strange[0]!r}, which is not supported"
    extra = [name for name in node.outputs[row.outputs :] if name in read]
    if (row.outputs and extra) or not node.outputs or not node.outputs[0]:
        problem = f"has {len(node.outputs)} results, and {row.outputs or 'any number'} can be read"
    if problem:
        raise ConfigError(f"{path}: {node} {problem}", code="source.operator")


def _node(proto: Any, tensors: TensorReader, path: Path) -> Node:
    inputs = list(proto.input)
    while inputs and not inputs[-1]:
        inputs.pop()
    return Node(
        op=_op(proto),
        name=_label(proto),
        inputs=tuple(inputs),
        outputs=tuple(proto.output),
        attributes={a.name: _attribute(a, proto, tensors, path) for a in proto.attribute},
    )


def _attribute(proto: Any, node: Any, tensors: TensorReader, path: Path) -> Attribute:
    kind = int(proto.type)
    if kind == _TENSOR:
        return tensors.read(proto.t, f"{_label(node)}.{proto.name}")
    if kind not in _FIELDS or proto.ref_attr_name:
        raise ConfigError(
            f"{path}: node {_label(node)!r} ({node.op_type}) has attribute {proto.name!r} of a "
            "kind that is not supported",
            code="source.operator",
        )
    value = getattr(proto, _FIELDS[kind])
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, (int, float)) else tuple(value)


def _opening(value: Any) -> Opening:
    kind = value.type.tensor_type
    dims = tuple(int(d.dim_value) if d.dim_value > 0 else None for d in kind.shape.dim)
    return Opening(value.name, dims, int(kind.elem_type))


def _op(proto: Any) -> str:
    return proto.op_type if proto.domain in _OWN else f"{proto.domain}.{proto.op_type}"


def _label(proto: Any) -> str:
    return proto.name or (proto.output[0] if proto.output else "")
