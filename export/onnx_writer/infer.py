"""Ask ONNX itself what one operator gives: shapes and dtypes, and the values of constants."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import UnavailableError
from export.onnx_writer.values import Attribute, Value

__all__ = ["Unwritable", "evaluate", "infer", "load_onnx", "make_node"]

#: Constants that say a shape or an axis are short.
_MAX_SHAPE_NUMBERS = 1024


class Unwritable(ValueError):
    """An operator that has no ONNX counterpart as it stands; the text says why."""


def load_onnx() -> Any:
    """Import onnx.

    Raises:
        UnavailableError: it is not installed.
    """
    try:
        import onnx
        import onnx.helper
        import onnx.numpy_helper
        import onnx.shape_inference
    except ImportError as error:
        raise UnavailableError(
            "writing ONNX needs onnx",
            hint="pip install unveil-edge[export]",
            code="export.onnx",
        ) from error
    return onnx


def make_node(
    op: str, inputs: Sequence[str], outputs: Sequence[str], attributes: Mapping[str, Attribute]
) -> Any:
    """Return the ``NodeProto`` of an operator of the default domain; its name is its output's."""
    helper = load_onnx().helper
    plain = dict(attributes)
    if op == "Cast":
        plain["to"] = int(helper.np_dtype_to_tensor_dtype(np.dtype(str(plain["to"]))))
    return helper.make_node(op, list(inputs), list(outputs), name=outputs[0], **plain)


def infer(
    op: str,
    inputs: Sequence[Value | None],
    attributes: Mapping[str, Attribute],
    *,
    outputs: int,
    opset: int,
) -> list[tuple[tuple[int, ...], str]]:
    """Return (shape, dtype) of each output, by ONNX's own shape inference.

    Raises:
        Unwritable: the inputs do not fit the operator.
    """
    onnx = load_onnx()
    helper = onnx.helper
    names = ["" if value is None else f"x{i}" for i, value in enumerate(inputs)]
    results = [f"y{i}" for i in range(outputs)]
    types, data = {}, {}
    for name, value in zip(names, inputs, strict=True):
        if value is None:
            continue
        number = helper.np_dtype_to_tensor_dtype(np.dtype(value.dtype))
        types[name] = helper.make_tensor_type_proto(number, value.shape)
        if value.data is not None and value.dtype == "int64" and value.size <= _MAX_SHAPE_NUMBERS:
            data[name] = onnx.numpy_helper.from_array(value.data, name)
    try:
        found = onnx.shape_inference.infer_node_outputs(
            _schema(op, opset),
            make_node(op, names, results, attributes),
            types,
            data,
            opset_imports=[helper.make_opsetid("", opset)],
            ir_version=helper.find_min_ir_version_for([helper.make_opsetid("", opset)]),
        )
    except (onnx.shape_inference.InferenceError, onnx.checker.ValidationError) as error:
        raise Unwritable(f"{op} does not take its inputs: {_first_line(error)}") from error
    return [_shape_and_dtype(op, found.get(name)) for name in results]


def evaluate(
    op: str, inputs: Sequence[Value | None], attributes: Mapping[str, Attribute], opset: int
) -> list[NDArray[Any]]:
    """Compute an operator of constants, with ONNX's reference implementation."""
    onnx = load_onnx()
    from onnx.reference import ReferenceEvaluator

    helper = onnx.helper
    shapes = infer(op, inputs, attributes, outputs=_outputs(op, inputs), opset=opset)
    names = ["" if value is None else f"x{i}" for i, value in enumerate(inputs)]
    results = [f"y{i}" for i in range(len(shapes))]
    given = {n: v for n, v in zip(names, inputs, strict=True) if v is not None}
    graph = helper.make_graph(
        [make_node(op, names, results, attributes)],
        "constant",
        [_info(name, value.shape, value.dtype) for name, value in given.items()],
        [_info(name, *made) for name, made in zip(results, shapes, strict=True)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    computed = ReferenceEvaluator(model).run(None, {n: v.data for n, v in given.items()})
    return [
        np.asarray(array, dtype).reshape(shape)
        for array, (shape, dtype) in zip(computed, shapes, strict=True)
    ]


def _outputs(op: str, inputs: Sequence[Value | None]) -> int:
    sizes = inputs[1] if op == "Split" else None
    return sizes.size if sizes is not None else 1


def _info(name: str, shape: tuple[int, ...], dtype: str) -> Any:
    helper = load_onnx().helper
    return helper.make_tensor_value_info(
        name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape
    )


@functools.cache
def _schema(op: str, opset: int) -> Any:
    return load_onnx().defs.get_schema(op, opset)


def _shape_and_dtype(op: str, found: Any) -> tuple[tuple[int, ...], str]:
    if found is None:
        raise Unwritable(f"{op}: its shape is not known")
    tensor = found.tensor_type
    dims = tensor.shape.dim
    if not tensor.HasField("shape") or not all(dim.HasField("dim_value") for dim in dims):
        raise Unwritable(f"{op}: its shape is not known")
    shape = tuple(int(dim.dim_value) for dim in dims)
    if any(size < 0 for size in shape):
        raise Unwritable(f"{op}: gives shape {list(shape)}")
    return shape, load_onnx().helper.tensor_dtype_to_np_dtype(tensor.elem_type).name


def _first_line(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[0].strip() if lines else type(error).__name__
