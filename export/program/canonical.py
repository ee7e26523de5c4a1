"""Bring a stranger's TFLite file into the form that every later step relies on."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.anatomy.flatbuffer import pack, set_constant, unpack
from benchmarks.anatomy.graph import Graph, read_graph
from benchmarks.anatomy.quiet import quiet
from edge.errors import DataError
from export.program.lower import SIGNATURE

__all__ = ["canonical"]

_INTEGERS = ("int32", "int64")


def canonical(content: bytes, *, where: str) -> bytes:
    """Return a TFLite file that computes the same and

    - has one signature, with inputs ``args_i`` and outputs ``output_i``, if it had none;
    - gives every tensor a name of its own: ranges and layers go by names;
    - says each operator's code where newer readers look: the quantiser takes every operator of a
      file from before 2020 for an ADD;
    - has sizes written down that the file computes from the shapes of its tensors.

    Args:
        content: a TFLite file; one that is so already comes back as it is.
        where: its name, for messages.

    Raises:
        DataError: it is no TFLite file, is damaged, or does not run.
    """
    graph = read_graph(content, where=where)
    model = unpack(content, where=where)
    changed = [_new_codes(model), _new_names(model), _new_signature(model)]
    computed = _shape_arithmetic(graph)
    if computed:
        _write_shapes(model, graph, computed, _run_once(content, where))
    return pack(model) if computed or any(changed) else content


def _new_codes(model: Any) -> bool:
    old = [c for c in model.operatorCodes if c.builtinCode < c.deprecatedBuiltinCode]
    for code in old:
        code.builtinCode = code.deprecatedBuiltinCode
    return bool(old)


def _new_names(model: Any) -> bool:
    seen: set[bytes] = set()
    changed = False
    for index, tensor in enumerate(model.subgraphs[0].tensors):
        name = tensor.name or b""
        if not name or name in seen:
            name, changed = b"%s#%d" % (name, index), True
        while name in seen:
            name += b"'"
        seen.add(name)
        tensor.name = name
    return changed


def _new_signature(model: Any) -> bool:
    from ai_edge_litert import schema_py_generated as schema

    if model.signatureDefs:
        return False
    graph = model.subgraphs[0]
    signature = schema.SignatureDefT()
    signature.signatureKey = SIGNATURE.encode()
    for role, name, indices in (
        ("inputs", b"args", graph.inputs),
        ("outputs", b"output", graph.outputs),
    ):
        maps = []
        for number, index in enumerate(indices):
            entry = schema.TensorMapT()
            entry.name, entry.tensorIndex = b"%s_%d" % (name, number), int(index)
            maps.append(entry)
        setattr(signature, role, maps)
    model.signatureDefs = [signature]
    return True


def _shape_arithmetic(graph: Graph) -> set[int]:
    """Return the nodes whose results depend on nothing but shapes and constants."""
    fixed: set[int] = set()
    nodes: set[int] = set()
    for node in graph.nodes:
        known = node.op == "SHAPE" or all(
            index < 0 or index in fixed or graph.tensors[index].data is not None
            for index in node.inputs
        )
        if known and all(graph.tensors[index].dtype in _INTEGERS for index in node.outputs):
            nodes.add(node.index)
            fixed.update(node.outputs)
    return nodes


def _run_once(content: bytes, where: str) -> Any:
    """Return an interpreter that ran on zeros, with every tensor kept."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    try:
        with quiet():
            interpreter = Interpreter(
                model_content=content,
                num_threads=1,
                experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
                experimental_preserve_all_tensors=True,
            )
            interpreter.allocate_tensors()
            interpreter.invoke()
    except (ValueError, RuntimeError) as error:
        raise DataError(f"{where}: does not run: {error}", code="tflite.run") from error
    return interpreter


def _write_shapes(model: Any, graph: Graph, computed: set[int], interpreter: Any) -> None:
    subgraph = model.subgraphs[0]
    for node in graph.nodes:
        for index in node.outputs:
            values: NDArray[Any] = interpreter.get_tensor(index)
            if node.index in computed:
                set_constant(model, index, values)
            else:
                subgraph.tensors[index].shape = np.array(values.shape, np.int32)
                subgraph.tensors[index].shapeSignature = None
    subgraph.operators = [op for i, op in enumerate(subgraph.operators) if i not in computed]
