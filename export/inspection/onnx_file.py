"""Parse an ONNX file that is looked at; nothing in it is run, and no other file is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.errors import DataError, UnavailableError

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["parse_onnx"]

_MAX_BYTES = 1024 * 1024 * 1024


def parse_onnx(content: bytes, *, where: str) -> ModelProto:
    """Return what an ONNX file holds.

    Args:
        content: the file.
        where: its name, for messages.

    Raises:
        DataError: it is no ONNX file or is damaged, or keeps weights in another file: a runtime
            would open whatever is named there.
        UnavailableError: onnx is not installed.
    """
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError as error:
        raise UnavailableError(
            f"{where}: reading ONNX needs {error.name}, which is not installed",
            hint="pip install unveil-edge[export]",
            code="export.onnx",
        ) from error
    try:
        if len(content) > _MAX_BYTES:
            raise DecodeError(f"larger than {_MAX_BYTES} bytes")
        model: ModelProto = onnx.ModelProto.FromString(content)
    except (DecodeError, RecursionError) as error:
        raise DataError(
            f"{where}: is no ONNX file, or is damaged: {error}", code="onnx.damaged"
        ) from error
    if not model.graph.node:
        raise DataError(f"{where}: is no ONNX file: it has no operators", code="onnx.damaged")
    for tensor in model.graph.initializer:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise DataError(f"{where}: {tensor.name} is kept in another file", code="onnx.external")
    return model
