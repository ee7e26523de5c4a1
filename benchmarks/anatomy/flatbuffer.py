"""Take a TFLite file apart, change it and put it together again."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.anatomy.graph import buffer_bytes, read_graph

__all__ = ["pack", "set_constant", "unpack"]


def unpack(content: bytes, *, where: str) -> Any:
    """Return the file as the schema's ``ModelT``, whose first graph is the network.

    Constants that the file keeps behind its tables are brought into them: a packed file would
    point to where they were.

    Raises:
        DataError: it is no TFLite file, is damaged, or has more than one graph.
    """
    from ai_edge_litert import schema_py_generated as schema

    read_graph(content, where=where)
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    for buffer in model.buffers:
        if buffer.offset > 1:
            buffer.data = np.frombuffer(buffer_bytes(buffer, content), np.uint8)
            buffer.offset = buffer.size = 0
    return model


def pack(model: Any) -> bytes:
    """Return the file of a ``ModelT``; equal models give equal bytes."""
    from ai_edge_litert.tools import flatbuffer_utils

    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def set_constant(model: Any, tensor: int, values: NDArray[Any]) -> None:
    """Give a tensor of a ``ModelT`` a value of its own; its dtype must be the tensor's already.

    A new buffer is made where other tensors share the old one.
    """
    from ai_edge_litert import schema_py_generated as schema

    buffer = schema.BufferT()
    buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
    raw = model.subgraphs[0].tensors[tensor]
    users = [t.buffer for graph in model.subgraphs for t in graph.tensors]
    users += [entry.buffer for entry in model.metadata or ()]
    if raw.buffer and users.count(raw.buffer) == 1:
        model.buffers[raw.buffer] = buffer
    else:
        model.buffers.append(buffer)
        raw.buffer = len(model.buffers) - 1
    raw.shape = np.array(values.shape, np.int32)
    raw.shapeSignature = None
