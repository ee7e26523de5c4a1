"""Reductions over axes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from export.importers.onnx.steps.layout import CHANNELS_LAST, channels_last
from export.importers.onnx.view import Builder, NodeView, Step

__all__ = ["BUILDERS", "mean"]

#: From a tensor and axes to a tensor that has them still, with size 1.
_Reduction = Callable[[Tensor, tuple[int, ...]], Tensor]
_SPATIAL = (2, 3)


def _over(reduction: _Reduction, of_one: Callable[[Tensor], Tensor] = lambda x: x) -> Builder:
    """Return the meaning of a reduction.

    Args:
        reduction: over axes.
        of_one: what it does to each element where it has no axes.
    """

    def build(view: NodeView) -> Step:
        named = view.whole(1) if view.has(1) else view.integers("axes")
        if not named and view.integer("noop_with_empty_axes", 0):
            return view.step(of_one, view.name(0))
        axes = view.axes_of(named or tuple(range(view.rank())))
        kept = view.integer("keepdims", 1)
        shape = view.shape()
        left = tuple(1 if a in axes else n for a, n in enumerate(shape) if kept or a not in axes)

        # With the axes kept there is a mean of TFLite that stays channels last.
        def reduce(x: Tensor) -> Tensor:
            return reduction(x, axes).reshape(left)

        return view.step(reduce, view.name(0))

    return build


def mean(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    """Return the mean over axes, which stay with size 1."""
    if axes == _SPATIAL:
        return _turned(x, axes, lambda y, places: y.mean(places, keepdim=True))
    return x.mean(axes, keepdim=True)


def _least(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    return _turned(x, axes, lambda y, places: y.amin(places, keepdim=True))


def _turned(x: Tensor, axes: tuple[int, ...], reduction: _Reduction) -> Tensor:
    """Reduce a picture channels last, where the lowering would not do so by itself."""
    if x.dim() != 4:
        return reduction(x, axes)
    places = tuple(CHANNELS_LAST[axis] for axis in axes)
    return channels_last(lambda y: reduction(y, places))(x)


def _product(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    for axis in axes:
        x = x.prod(axis, keepdim=True)
    return x


def _length(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    return torch.sqrt((x * x).sum(axes, keepdim=True))


BUILDERS: dict[str, Builder] = {
    "ReduceMean": _over(mean),
    "ReduceSum": _over(lambda x, axes: x.sum(axes, keepdim=True)),
    "ReduceMax": _over(lambda x, axes: x.amax(axes, keepdim=True)),
    "ReduceMin": _over(_least),
    "ReduceL2": _over(_length, torch.abs),
    "ReduceProd": _over(_product),
}
