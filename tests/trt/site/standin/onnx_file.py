"""Read an ONNX file as TensorRT's parser does, and say what it says of what it does not take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from standin import setting

__all__ = ["Fault", "Node", "OnnxFile", "Shape", "is_read", "read", "resized", "shapes_of"]

#: -1 for a size that is open; None where the operators do not fit together.
Shape = tuple[int, ...] | None

#: Read by no release: onnx-tensorrt, docs/operators.md.
_UNREAD = frozenset(
    "BitShift Compress ConvInteger DynamicQuantizeLinear MatMulInteger MaxRoiPool QLinearConv "
    "QLinearMatMul SequenceAt StringNormalizer TfIdfVectorizer Unique".split()
)


@dataclass(frozen=True)
class Fault:
    """Why a file is not taken."""

    code: str
    text: str
    node: int = -1
    name: str = ""
    operator: str = ""


@dataclass(frozen=True)
class Node:
    """One operator; its name is what TensorRT's parser makes of it."""

    name: str
    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    dtype: str


@dataclass(frozen=True)
class OnnxFile:
    """What the parser makes of a file."""

    content: bytes
    nodes: tuple[Node, ...]
    #: name, whether it is an input, dtype in NumPy's words, shape
    tensors: tuple[tuple[str, bool, str, tuple[int, ...]], ...]
    has_pairs: bool
    has_half: bool


def is_read(op: str) -> bool:
    """Tell whether the parser knows an operator."""
    return op not in _UNREAD and op not in setting("UNREAD").split(",")


def read(content: bytes) -> OnnxFile | list[Fault]:
    """Return the file, or why it is not taken."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load_model_from_string(content)
    except DecodeError:
        model = None
    if model is None or not model.graph.node:
        return [Fault("MODEL_DESERIALIZE_FAILED", "Failed to parse the ONNX model.")]
    faults = [f for i, node in enumerate(model.graph.node) if (f := _fault(model, i, node))]
    if faults:
        return faults
    typed = onnx.shape_inference.infer_shapes(model)
    dtypes = {
        v.name: _dtype(onnx, v.type.tensor_type.elem_type)
        for v in (*typed.graph.input, *typed.graph.output, *typed.graph.value_info)
    }
    stored = {tensor.name for tensor in model.graph.initializer}
    tensors = [
        (v.name, is_input, dtypes[v.name], _sizes(v))
        for is_input, values in ((True, model.graph.input), (False, model.graph.output))
        for v in values
        if v.name not in stored
    ]
    nodes = [
        Node(
            node.name or f"node_of_{node.output[0]}",
            node.op_type,
            tuple(node.input),
            tuple(node.output),
            dtypes.get(node.output[0], ""),
        )
        for node in model.graph.node
    ]
    return OnnxFile(
        content,
        tuple(nodes),
        tuple(tensors),
        any(n.op in ("QuantizeLinear", "DequantizeLinear") for n in nodes),
        any(n.dtype == "float16" for n in nodes),
    )


def _fault(model: Any, index: int, node: Any) -> Fault | None:
    import onnx

    name = node.name or f"node_of_{node.output[0]}"
    if not is_read(node.op_type):
        text = f"No importer registered for op: {node.op_type}"
        return Fault("UNSUPPORTED_NODE", text, index, name, node.op_type)
    if node.domain not in ("", "ai.onnx"):
        text = (
            "getPluginCreator could not find plugin: Plugin not found, are the plugin name, "
            "version, and namespace correct?"
        )
        return Fault("UNSUPPORTED_NODE", text, index, name, node.op_type)
    if node.op_type in ("QuantizeLinear", "DequantizeLinear") and len(node.input) > 2:
        stored = {tensor.name: tensor for tensor in model.graph.initializer}
        zero = stored.get(node.input[2])
        if zero is not None and onnx.numpy_helper.to_array(zero).any():
            text = "Assertion failed: shiftIsAllZeros(zeroPoint): TensorRT only supports symmetric "
            return Fault(
                "UNSUPPORTED_NODE", text + "quantization (zero point must be 0)", index, name,
                node.op_type,
            )  # fmt: skip
    return None


def resized(content: bytes, sizes: dict[str, tuple[int, ...]]) -> bytes:
    """Return the file with other sizes of inputs, and those that follow for its outputs."""
    import onnx

    model = onnx.load_model_from_string(content)
    for value in model.graph.input:
        for dim, size in zip(value.type.tensor_type.shape.dim, sizes.get(value.name, ()),
                             strict=False):  # fmt: skip
            if size < 0:
                dim.dim_param = "N"
            else:
                dim.dim_value = size
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    del model.graph.value_info[:]
    typed = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    found: bytes = typed.SerializeToString()
    return found


def shapes_of(content: bytes, sizes: dict[str, tuple[int, ...]]) -> dict[str, Shape]:
    """Return the shape of every value, for some sizes of the inputs."""
    import onnx

    try:
        graph = onnx.load_model_from_string(resized(content, sizes)).graph
    except onnx.shape_inference.InferenceError:
        graph = onnx.load_model_from_string(content).graph
        given = [value.name for value in graph.input]
        names = {name for node in graph.node for name in node.output}
        return dict.fromkeys(names) | {name: sizes.get(name, ()) for name in given}
    values = (*graph.input, *graph.output, *graph.value_info)
    shapes: dict[str, Shape] = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    return shapes | {value.name: _sizes(value) for value in values}


def _sizes(value: Any) -> tuple[int, ...]:
    dims = value.type.tensor_type.shape.dim
    return tuple(d.dim_value if d.HasField("dim_value") else -1 for d in dims)


def _dtype(onnx: Any, number: int) -> str:
    return np.dtype(onnx.helper.tensor_dtype_to_np_dtype(number)).name if number else ""
