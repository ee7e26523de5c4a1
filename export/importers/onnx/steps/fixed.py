"""Operators whose result is known when the file is read."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from export.importers.onnx.view import Builder, NodeView, Step

__all__ = ["BUILDERS"]

#: Elements of one constant that is computed.
_MOST = 1 << 26


def _constant(view: NodeView) -> Step:
    value = view.tensor("value")
    if value is None:
        value = _number(view)
    return Step(lambda x: x, (value,))


def _number(view: NodeView) -> Tensor:
    found = [(n, v) for n, v in view.node.attributes.items() if n.startswith("value_")]
    if len(found) != 1 or isinstance(found[0][1], str):
        raise view.refusal("has no number")
    name, value = found[0]
    return torch.tensor(value, dtype=torch.float32 if "float" in name else torch.int64)


def _constant_of_shape(view: NodeView) -> Step:
    shape = view.whole(0) or ()
    value = view.tensor("value")
    value = torch.zeros(1) if value is None else value
    if min(shape, default=0) < 0 or math.prod(shape) > _MOST or value.numel() != 1:
        raise view.refusal(f"makes {list(shape)}")
    return Step(lambda x: x.reshape(()).expand(shape), (value,))


def _shape(view: NodeView) -> Step:
    part = slice(view.integer("start", 0), view.integer("end", view.rank()))
    return Step(lambda x: x, (torch.tensor(view.shape()[part], dtype=torch.int64),))


def _size(view: NodeView) -> Step:
    return Step(lambda x: x, (torch.tensor(math.prod(view.shape())),))


def _range(view: NodeView) -> Step:
    start, end, step = (view.constant(i) for i in range(3))
    if step.numel() != 1 or float(step) == 0 or not math.isfinite(float(end - start)):
        raise view.refusal("has no end")
    count = max(math.ceil((end.item() - start.item()) / step.item()), 0)
    if count > _MOST:
        raise view.refusal(f"makes {count} numbers")
    found = torch.arange(count, dtype=start.dtype) * step.reshape(()) + start.reshape(())
    return Step(lambda x: x, (found,))


BUILDERS: dict[str, Builder] = {
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "Shape": _shape,
    "Size": _size,
    "Range": _range,
}
