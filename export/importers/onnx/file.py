"""Read the bytes of an ONNX file and refuse what no network for a board needs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.errors import DataError, UnavailableError
from export.importers.onnx.table import OPSETS
from export.importers.safety import read_bounded

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["opset_of", "read_model"]

_MAX_NODES = 50_000
#: Two spellings of ONNX's own domain.
_OWN = ("", "ai.onnx")


def read_model(path: Path) -> ModelProto:
    """Parse a file; its external data is not touched.

    Raises:
        MissingInput: the file cannot be opened.
        UnavailableError: onnx is not installed.
        DataError: it is too large, is no ONNX file, is damaged, or holds parts that are refused:
            functions, training information, sparse initializers.
    """
    content = read_bounded(path)
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError as error:
        raise UnavailableError(
            f"{path}: reading ONNX needs {error.name}",
            hint="pip install unveil-edge[export]",
            code="export.onnx",
        ) from error
    try:
        model: ModelProto = onnx.ModelProto.FromString(content)
    except (DecodeError, RecursionError, MemoryError) as error:
        raise DataError(f"{path}: is no ONNX file or is damaged", code="source.format") from error
    _check(model, path)
    return model


def opset_of(model: ModelProto, path: Path) -> int:
    """Return the version of ONNX's own operators that the file was written in.

    Raises:
        DataError: it names none, or one that is not read.
    """
    versions = [int(entry.version) for entry in model.opset_import if entry.domain in _OWN]
    if not versions:
        raise DataError(f"{path}: names no version of the ONNX operators", code="source.format")
    opset = max(versions)
    if opset not in OPSETS:
        raise DataError(
            f"{path}: has opset {opset}; {OPSETS[0]} to {OPSETS[-1]} are read",
            hint="export the network again, or convert it with onnx.version_converter",
            code="source.format",
        )
    return opset


def _check(model: Any, path: Path) -> None:
    graph = model.graph
    if not graph.node or not graph.output:
        raise DataError(f"{path}: holds no network", code="source.format")
    refused = {
        "functions": [function.name for function in model.functions],
        "training information": [info.algorithm.name for info in model.training_info],
        "sparse initializers": [item.values.name for item in graph.sparse_initializer],
    }
    for what, names in refused.items():
        if names:
            raise DataError(
                f"{path}: holds {what} ({names[0]!r}), which are not read",
                hint="export the network for inference, with plain nodes and dense weights",
                code="source.operator",
            )
    if len(graph.node) > _MAX_NODES:
        raise DataError(
            f"{path}: has {len(graph.node)} nodes, at most {_MAX_NODES} are read",
            code="source.size",
        )
