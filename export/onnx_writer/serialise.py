"""Turn a draft into the bytes of an ONNX file."""

from __future__ import annotations

from typing import Any

import numpy as np

from export.onnx_writer.infer import load_onnx, make_node
from export.onnx_writer.values import Draft, Value

__all__ = ["CHANNELS_FIRST", "serialise"]

#: Written beside each activation that is NCHW where the TFLite file says NHWC.
CHANNELS_FIRST = "NCHW"


def serialise(draft: Draft, *, opset: int) -> bytes:
    """Return the file; equal drafts give equal bytes."""
    onnx = load_onnx()
    helper = onnx.helper
    made = [name for operator in draft.operators for name in operator.outputs]
    ends = {*draft.inputs, *draft.outputs}
    constants = [value for value in draft.values.values() if value.data is not None]
    graph = helper.make_graph(
        [make_node(o.op, o.inputs, o.outputs, o.attributes) for o in draft.operators],
        "float_program",
        [_info(draft.values[name]) for name in draft.inputs],
        [_info(draft.values[name]) for name in draft.outputs],
        [onnx.numpy_helper.from_array(value.data, value.name) for value in constants],
        value_info=[_info(draft.values[name]) for name in made if name not in ends],
    )
    opsets = [helper.make_opsetid("", opset)]
    model = helper.make_model(
        graph,
        opset_imports=opsets,
        ir_version=helper.find_min_ir_version_for(opsets),
        producer_name="unveil-edge",
    )
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _info(value: Value) -> Any:
    helper = load_onnx().helper
    number = helper.np_dtype_to_tensor_dtype(np.dtype(value.dtype))
    note = CHANNELS_FIRST if value.channels_first else ""
    return helper.make_tensor_value_info(value.name, number, value.shape, note)
