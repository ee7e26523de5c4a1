"""Read a TFLite file as plain nodes and tensors: what every look into an artefact begins with."""

from __future__ import annotations

import functools
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import EnumMeta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import DataError

__all__ = ["Graph", "Node", "Option", "Quantisation", "Tensor", "buffer_bytes", "read_graph"]

#: A field of an operator's options; enumerations are their names, such as ``SAME`` or ``RELU6``.
Option = int | float | bool | str | tuple[int, ...]

_MAX_BYTES = 1024 * 1024 * 1024
_IDENTIFIER = b"TFL3"
#: Fields of options that are numbers of an enumeration of the schema.
_ENUMERATIONS = {
    "fusedActivationFunction": "ActivationFunctionType",
    "padding": "Padding",
    "mode": "MirrorPadMode",
    "inDataType": "TensorType",
    "outDataType": "TensorType",
    "weightsFormat": "FullyConnectedOptionsWeightsFormat",
}


@dataclass(frozen=True, slots=True, eq=False)
class Quantisation:
    """How stored numbers become real ones: ``(stored - zero_point) * scale``.

    Attributes:
        scale: float32 ``[1]``, or one a channel.
        zero_point: int64 of the same length.
        axis: of the channels; has no meaning where there is one scale.
    """

    scale: NDArray[np.float32]
    zero_point: NDArray[np.int64]
    axis: int


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """One tensor.

    Attributes:
        index: of the tensor in its graph.
        name: as the file has it; unique within our own artefacts.
        shape: fixed sizes.
        dtype: NumPy's name: ``float32``, ``float16``, ``int8``, ``int32`` and so on.
        data: of a constant, in its shape; else None.
        quantisation: None for real numbers.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    data: NDArray[Any] | None
    quantisation: Quantisation | None

    @property
    def real(self) -> NDArray[np.float32]:
        """The constant's real values, float32.

        Raises:
            ValueError: it is no constant.
        """
        if self.data is None:
            raise ValueError(f"{self.name} is no constant")
        values = self.data.astype(np.float32)
        if self.quantisation is None:
            return values
        scale, zero = self.quantisation.scale, self.quantisation.zero_point
        sizes = [1] * len(self.shape)
        if scale.size > 1:
            sizes[self.quantisation.axis] = scale.size
        scaled: NDArray[np.float32] = (values - zero.reshape(sizes)).astype(np.float32)
        return scaled * scale.reshape(sizes)


@dataclass(frozen=True, slots=True)
class Node:
    """One operator.

    Attributes:
        index: position in the order of execution.
        op: name in TFLite's schema, such as ``CONV_2D``; a custom one has its own name.
        inputs, outputs: tensor indices; an optional input that is left out is -1.
        options: fields in the schema's spelling (``strideH``), see ``Option``.
        custom: no operator of the schema: a flex or a stranger's.
    """

    index: int
    op: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Option]
    custom: bool = False


@dataclass(frozen=True, slots=True)
class Graph:
    """The one graph of a TFLite file.

    Attributes:
        tensors: by index.
        nodes: in the order of execution.
        inputs, outputs: (name, tensor index) in the order of the signature's arguments and
            results, ``args_i`` and ``output_i``; a file without a signature has the tensors' names
            in the graph's order.
        signature: its key, or empty.
    """

    tensors: tuple[Tensor, ...]
    nodes: tuple[Node, ...]
    inputs: tuple[tuple[str, int], ...]
    outputs: tuple[tuple[str, int], ...]
    signature: str

    def producer(self, tensor: int) -> Node | None:
        """Return the node that makes a tensor; None for an input or a constant."""
        return next((node for node in self.nodes if tensor in node.outputs), None)

    def consumers(self, tensor: int) -> tuple[Node, ...]:
        """Return the nodes that read a tensor."""
        return tuple(node for node in self.nodes if tensor in node.inputs)


def read_graph(content: bytes, *, where: str) -> Graph:
    """Read a TFLite file; nothing in it is executed.

    Args:
        content: the file.
        where: its name, for messages.

    Raises:
        DataError: it is no TFLite file, is damaged, or has more than one graph.
    """
    from ai_edge_litert import schema_py_generated as schema

    if len(content) > _MAX_BYTES or content[4:8] != _IDENTIFIER:
        raise DataError(f"{where}: is no TFLite file", code="tflite.format")
    try:
        model = schema.ModelT.InitFromPackedBuf(content, 0)
        if len(model.subgraphs) != 1:
            raise DataError(
                f"{where}: has {len(model.subgraphs)} graphs, one is supported",
                code="tflite.graphs",
            )
        graph = _graph(model, model.subgraphs[0], content)
    except (
        struct.error, IndexError, ValueError, TypeError, KeyError, AttributeError,
        OverflowError, MemoryError, UnicodeDecodeError,
    ) as error:  # fmt: skip
        raise DataError(
            f"{where}: is a damaged TFLite file: {type(error).__name__}: {error}",
            code="tflite.damaged",
        ) from error
    return graph


def _graph(model: Any, subgraph: Any, content: bytes) -> Graph:
    tensors = tuple(_tensor(model, i, raw, content) for i, raw in enumerate(subgraph.tensors))
    nodes = tuple(_node(model, i, raw) for i, raw in enumerate(subgraph.operators or ()))
    for node in nodes:
        if not all(-1 <= t < len(tensors) for t in (*node.inputs, *node.outputs)):
            raise ValueError(f"operator {node.index} names a tensor that is not there")
    names = [(tensors[i].name, int(i)) for i in subgraph.inputs]
    results = [(tensors[i].name, int(i)) for i in subgraph.outputs]
    key = ""
    if model.signatureDefs:
        signature = model.signatureDefs[0]
        key = _text(signature.signatureKey)
        names = _in_order(signature.inputs)
        results = _in_order(signature.outputs)
    if not all(0 <= t < len(tensors) for _, t in (*names, *results)):
        raise ValueError("the signature names a tensor that is not there")
    return Graph(tensors, nodes, tuple(names), tuple(results), key)


def _in_order(maps: Any) -> list[tuple[str, int]]:
    """Sort ``args_10`` after ``args_9``; names without a number keep the file's order."""
    named = [(_text(item.name), int(item.tensorIndex)) for item in maps or ()]

    def number(pair: tuple[str, int]) -> int:
        digits = pair[0].rpartition("_")[2]
        return int(digits) if digits.isdecimal() else -1

    return sorted(named, key=number)


def _tensor(model: Any, index: int, raw: Any, content: bytes) -> Tensor:
    dtype = _dtypes()[raw.type]
    shape = tuple(int(n) for n in (raw.shape if raw.shape is not None else ()))
    if any(n < 0 for n in shape):
        raise ValueError(f"tensor {index} has shape {shape}")
    stored = buffer_bytes(model.buffers[raw.buffer], content)
    data = None
    if raw.buffer and stored and dtype not in ("int4", "other"):
        data = np.frombuffer(stored, dtype).reshape(shape)
    return Tensor(index, _text(raw.name), shape, dtype, data, _quantisation(raw.quantization))


def buffer_bytes(buffer: Any, content: bytes) -> bytes:
    """Return what a buffer of the schema holds: in itself, or behind the tables of the file.

    The quantiser writes larger files the second way, with ``offset`` and ``size`` from the start.

    Raises:
        ValueError: it lies outside the file.
    """
    if buffer.offset > 1:
        if buffer.offset + buffer.size > len(content):
            raise ValueError(f"a buffer ends at byte {buffer.offset + buffer.size}")
        return content[buffer.offset : buffer.offset + buffer.size]
    return b"" if buffer.data is None else np.asarray(buffer.data, np.uint8).tobytes()


def _quantisation(raw: Any) -> Quantisation | None:
    if raw is None or raw.scale is None or not len(raw.scale):
        return None
    scale = np.asarray(raw.scale, np.float32)
    zero = np.zeros(scale.size, np.int64)
    if raw.zeroPoint is not None and len(raw.zeroPoint):
        zero[:] = np.asarray(raw.zeroPoint, np.int64)
    return Quantisation(scale, zero, int(raw.quantizedDimension))


def _node(model: Any, index: int, raw: Any) -> Node:
    code = model.operatorCodes[raw.opcodeIndex]
    # Old files keep the code in a byte, new ones beside it.
    number = max(int(code.builtinCode), int(code.deprecatedBuiltinCode))
    name = _operators()[number]
    custom = name == "CUSTOM"
    return Node(
        index=index,
        op=_text(code.customCode) if custom else name,
        inputs=tuple(int(i) for i in raw.inputs) if raw.inputs is not None else (),
        outputs=tuple(int(i) for i in raw.outputs) if raw.outputs is not None else (),
        options=_options(raw.builtinOptions),
        custom=custom,
    )


def _options(raw: Any) -> dict[str, Option]:
    table: dict[str, Option] = {}
    for key, value in vars(raw).items() if raw is not None else ():
        if key in _ENUMERATIONS and isinstance(value, int):
            table[key] = _names(_ENUMERATIONS[key])[value]
        elif isinstance(value, (bool, int, float)):
            table[key] = value
        elif isinstance(value, (list, np.ndarray)):
            table[key] = tuple(int(v) for v in value)
        elif isinstance(value, bytes):
            table[key] = value.decode()
    return table


def _text(raw: bytes | str | None) -> str:
    return raw.decode() if isinstance(raw, bytes) else raw or ""


def _operators() -> Mapping[int, str]:
    return _names("BuiltinOperator")


def _dtypes() -> Mapping[int, str]:
    known = {n.lower(): n.lower() for n in "FLOAT16 FLOAT64 INT8 INT16 INT32 INT64 UINT8".split()}
    known |= {"float32": "float32", "bool": "bool", "uint32": "uint32", "int4": "int4"}
    return {number: known.get(n.lower(), "other") for number, n in _names("TensorType").items()}


@functools.cache
def _names(enumeration: str) -> Mapping[int, str]:
    """Return an enumeration of the schema by number."""
    from ai_edge_litert import schema_py_generated as schema

    kind: Any = getattr(schema, enumeration)
    members = kind.__members__ if isinstance(kind, EnumMeta) else vars(kind)
    return {int(v): k for k, v in members.items() if not k.startswith("_")}
