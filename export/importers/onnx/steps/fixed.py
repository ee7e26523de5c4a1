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


def _cumulative_sum(view: NodeView) -> Step:
    (axis,) = view.axes_of(view.whole(1) or ())
    exclusive, reverse = view.integer("exclusive", 0), view.integer("reverse", 0)

    def add_up(x: Tensor) -> Tensor:
        turned = x.flip(axis) if reverse else x
        total = turned.cumsum(axis) - (turned if exclusive else 0)
        return total.flip(axis) if reverse else total

    return view.step(add_up, view.name(0))


def _triangle(view: NodeView) -> Step:
    diagonal = (view.whole(1) or (0,))[0]
    keep = torch.triu if view.integer("upper", 1) else torch.tril
    return view.step(lambda x: keep(x, diagonal), view.name(0))


def _scatter(view: NodeView) -> Step:
    if view.text("reduction", "none") != "none":
        raise view.refusal(f"has reduction {view.text('reduction', 'none')!r}")

    def scatter(x: Tensor, at: Tensor, values: Tensor) -> Tensor:
        return x.clone().index_put(tuple(at.unbind(-1)), values.to(x.dtype))

    return view.step(scatter)


BUILDERS: dict[str, Builder] = {
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "Shape": _shape,
    "Size": _size,
    "Range": _range,
    "CumSum": _cumulative_sum,
    "Trilu": _triangle,
    "ScatterND": _scatter,
}
