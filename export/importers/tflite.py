"""Open a float TFLite file: refuse what is not float, fix its sizes, name its arguments."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.anatomy.flatbuffer import pack, set_constant, unpack
from benchmarks.anatomy.graph import Graph, read_graph
from benchmarks.anatomy.quiet import quiet
from edge.errors import ConfigError, DataError
from export.importers.safety import read_bounded
from export.program.canonical import canonical

__all__ = ["check_float", "open_tflite"]

#: Of one tensor; what is larger does not fit a TFLite file.
_MAX_ELEMENTS = 256 * 1024 * 1024


def open_tflite(path: Path, *, input_hw: tuple[int, int] | None = None) -> bytes:
    """Read a TFLite file as the float program of a network.

    Args:
        path: the file.
        input_hw: height and width for pictures whose size the file leaves open.

    Returns:
        The file with a signature, fixed sizes and a batch of 1; weights that it keeps in half
        precision are float32.

    Raises:
        MissingInput: there is no such file.
        DataError: it is no TFLite file, is damaged, does not run, is quantised already, or its
            weights are not finite.
        ConfigError: an operator is none of TFLite's own, or a size is missing.
    """
    where = str(path)
    content = read_bounded(path)
    graph = read_graph(content, where=where)
    check_float(graph, where=where)
    content = _fix_sizes(content, where, input_hw)
    return canonical(_widen(content, where), where=where)


def check_float(graph: Graph, *, where: str) -> None:
    """Refuse a network that is not TFLite's own operators on finite float32 numbers.

    Raises:
        DataError, ConfigError: see ``open_tflite``.
    """
    strange = sorted({node.op for node in graph.nodes if node.custom})
    if strange:
        raise ConfigError(
            f"{where}: operator {', '.join(strange)} is none of TFLite's own",
            hint="replace it in the network and convert again, without flex operators",
            code="source.operator",
        )
    if what := _quantised(graph):
        raise DataError(
            f"{where}: is quantised already: {what}",
            hint="give the float file that it was made from",
            code="source.quantised",
        )
    for name, index in graph.inputs:
        if (dtype := graph.tensors[index].dtype) != "float32":
            raise ConfigError(
                f"{where}: input {name} is {dtype}, and float32 is needed",
                code="source.dtype",
            )
    for tensor in graph.tensors:
        if math.prod(tensor.shape) > _MAX_ELEMENTS:
            raise DataError(
                f"{where}: tensor {tensor.name} has shape {list(tensor.shape)}", code="source.size"
            )
        if (
            tensor.data is not None
            and tensor.dtype.startswith("float")
            and not np.isfinite(tensor.data).all()
        ):
            raise DataError(
                f"{where}: tensor {tensor.name} holds values that are not finite",
                code="weights.finite",
            )


def _quantised(graph: Graph) -> str:
    """Say how a network is quantised, or nothing."""
    scaled = {t.index for t in graph.tensors if t.quantisation and t.dtype not in ("float32",)}
    constants = {t.index for t in graph.tensors if t.data is not None}
    computing = [node for node in graph.nodes if scaled.difference(constants) & {*node.outputs}]
    if computing:
        dtypes = sorted({graph.tensors[node.outputs[0]].dtype for node in computing} - {"float32"})
        return f"{len(computing)} of {len(graph.nodes)} operators give {' and '.join(dtypes)}"
    if weights := scaled & constants:
        dtypes = sorted({graph.tensors[index].dtype for index in weights})
        return f"{len(weights)} constants are {' and '.join(dtypes)} (dynamic range)"
    return ""


def _fix_sizes(content: bytes, where: str, input_hw: tuple[int, int] | None) -> bytes:
    """Write down the sizes of a file that leaves some open; any other comes back as it is."""
    model = unpack(content, where=where)
    graph = model.subgraphs[0]
    shapes = {int(i): _fixed(graph.tensors[int(i)], where, input_hw) for i in graph.inputs}
    if all(not _signature(tensor) for tensor in graph.tensors):
        return content
    for index, shape in _settled(content, shapes, where).items():
        graph.tensors[index].shape = np.array(shape, np.int32)
    for tensor in graph.tensors:
        tensor.shapeSignature = None
    return pack(model)


def _signature(tensor: Any) -> list[int]:
    """Return a tensor's sizes with -1 for what is open; empty where nothing is."""
    raw = tensor.shapeSignature
    return [] if raw is None else [int(n) for n in raw]


def _fixed(tensor: Any, where: str, input_hw: tuple[int, int] | None) -> list[int]:
    sizes = _signature(tensor) or [int(n) for n in tensor.shape]
    name = (tensor.name or b"").decode(errors="replace")
    if sizes and sizes[0] == -1:
        sizes[0] = 1
    if len(sizes) == 4 and input_hw:
        if -1 in sizes[1:3]:
            sizes[1:3] = input_hw
        elif tuple(sizes[1:3]) != input_hw:
            raise ConfigError(
                f"{where}: input {name} is {sizes}, and {input_hw[0]}x{input_hw[1]} was asked for",
                code="source.size",
            )
    if -1 in sizes:
        raise ConfigError(
            f"{where}: input {name} leaves sizes open: {['?' if n < 0 else n for n in sizes]}",
            hint="give its height and width with --imgsz HxW",
            code="source.open",
        )
    return sizes


def _settled(content: bytes, inputs: dict[int, list[int]], where: str) -> dict[int, list[int]]:
    """Return the shape of every tensor once the inputs have theirs."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    try:
        with quiet():
            interpreter = Interpreter(
                model_content=content,
                num_threads=1,
                experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            )
            for index, shape in inputs.items():
                interpreter.resize_tensor_input(index, shape)
            interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise DataError(f"{where}: does not run: {error}", code="tflite.run") from error
    known = read_graph(content, where=where).tensors
    return {
        detail["index"]: [int(n) for n in detail["shape"]]
        for detail in interpreter.get_tensor_details()
        if detail["index"] < len(known) and known[detail["index"]].data is None
    }


def _widen(content: bytes, where: str) -> bytes:
    """Store weights as float32 that a file keeps in half precision and widens as it runs."""
    graph = read_graph(content, where=where)
    halves = {
        node.index: node
        for node in graph.nodes
        if node.op == "DEQUANTIZE" and graph.tensors[node.inputs[0]].data is not None
    }
    if not halves:
        return content
    model = unpack(content, where=where)
    for node in halves.values():
        set_constant(model, node.outputs[0], graph.tensors[node.inputs[0]].real)
    operators = model.subgraphs[0].operators
    model.subgraphs[0].operators = [op for i, op in enumerate(operators) if i not in halves]
    return pack(model)
