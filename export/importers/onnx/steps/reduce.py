"""Reductions over axes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from export.importers.onnx.steps.layout import CHANNELS_LAST, channels_last
from export.importers.onnx.view import Builder, NodeView, Step

__all__ = ["BUILDERS", "mean", "with_axes_kept"]

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
        named = _named(view)
        if not named and view.integer("noop_with_empty_axes", 0):
            return view.step(of_one, view.name(0))
        return _reduced(view, reduction, keep=bool(view.integer("keepdims", 1)))

    return build


def _named(view: NodeView) -> tuple[int, ...] | None:
    return view.whole(1) if view.has(1) else view.integers("axes")


def _reduced(view: NodeView, reduction: _Reduction, *, keep: bool) -> Step:
    axes = view.axes_of(_named(view) or tuple(range(view.rank())))
    if keep:
        return view.step(lambda x: reduction(x, axes), view.name(0))
    left = _left(view.shape(), axes, keep=False)
    # With the axes kept there is a mean of TFLite that stays channels last.
    return view.step(lambda x: reduction(x, axes).reshape(left), view.name(0))


def _left(shape: tuple[int, ...], axes: tuple[int, ...], *, keep: bool) -> tuple[int, ...]:
    return tuple(1 if a in axes else n for a, n in enumerate(shape) if keep or a not in axes)


def with_axes_kept(view: NodeView, shape: tuple[int, ...]) -> Step | None:
    """Return the reduction before a node that only gives it the dropped axes back.

    A picture that loses an axis and gets it again in two nodes would lose its layout between.

    Args:
        view: of a node that changes the shape of its first input.
        shape: that it makes.
    """
    for op, reduction in _REDUCTIONS.items():
        made = view.maker(op)
        named = _named(made) if made is not None and made.known(0) is None else None
        if made is not None and named and not made.integer("keepdims", 1):
            axes = made.axes_of(named)
            if shape == _left(made.shape(), axes, keep=True):
                return _reduced(made, reduction, keep=True)
    return None


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


def _log_sum_exp(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    # The greatest is taken out first, so that no power runs over.
    greatest = x.amax(axes, keepdim=True)
    return (x - greatest).exp().sum(axes, keepdim=True).log() + greatest


_REDUCTIONS: dict[str, _Reduction] = {
    "ReduceMean": mean,
    "ReduceSum": lambda x, axes: x.sum(axes, keepdim=True),
    "ReduceMax": lambda x, axes: x.amax(axes, keepdim=True),
    "ReduceMin": _least,
    "ReduceL1": lambda x, axes: x.abs().sum(axes, keepdim=True),
    "ReduceL2": _length,
    "ReduceSumSquare": lambda x, axes: (x * x).sum(axes, keepdim=True),
    "ReduceLogSum": lambda x, axes: x.sum(axes, keepdim=True).log(),
    "ReduceLogSumExp": _log_sum_exp,
    "ReduceProd": _product,
}
#: What a reduction does to one element, where that changes it.
_OF_ONE: dict[str, Callable[[Tensor], Tensor]] = {
    "ReduceL1": torch.abs,
    "ReduceL2": torch.abs,
    "ReduceSumSquare": torch.square,
    "ReduceLogSum": torch.log,
}
BUILDERS: dict[str, Builder] = {
    op: _over(reduction, _OF_ONE.get(op, lambda x: x)) for op, reduction in _REDUCTIONS.items()
}
