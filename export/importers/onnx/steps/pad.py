"""Pad."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from export.importers.onnx.steps.layout import Pads, bordered, repeated, zero_of
from export.importers.onnx.view import Builder, NodeView, Step

__all__ = ["BUILDERS", "zero_border"]

_WIDEST = 65536
#: A border of repeated edges wider than this is gathered instead.
_MOST_EDGES = 8


def zero_border(view: NodeView) -> tuple[str, Pads] | None:
    """Return what a Pad in front of a node pads with zeros, and how far, if that is all it does.

    Only spatial axes may be padded, and none cut.
    """
    pad = view.maker("Pad")
    if pad is None or pad.text("mode", "constant") != "constant" or _value(pad) != 0:
        return None
    pads = _pads(pad)
    if any(map(any, pads[:2])) or min(map(min, pads)) < 0:
        return None
    return pad.name(0), pads[2:]


def _pads(view: NodeView) -> Pads:
    """Return the elements before and after each axis; cut ones are negative."""
    rank = view.rank()
    numbers = view.whole(1) if view.has(1) else view.integers("pads")
    axes = view.axes_of(view.whole(3) or tuple(range(rank)))
    if numbers is None or len(numbers) != 2 * len(axes) or max(numbers, default=0) > _WIDEST:
        raise view.refusal(f"has pads {numbers} for {len(axes)} axes")
    pads = [(0, 0)] * rank
    for position, axis in enumerate(axes):
        pads[axis] = (numbers[position], numbers[position + len(axes)])
    return tuple(pads)


def _value(view: NodeView) -> float:
    if not view.has(2):
        return view.number("value", 0.0)
    value = view.constant(2)
    if value.numel() != 1:
        raise view.refusal(f"has a value of shape {list(value.shape)}")
    return float(value)


def _pad(view: NodeView) -> Step:
    pads, mode = _pads(view), view.text("mode", "constant")
    if not any(map(any, pads)):
        return view.step(lambda x: x, view.name(0))
    if mode == "constant":
        return _constant(view, pads, _value(view))
    if mode not in ("reflect", "edge"):
        raise view.refusal(f"has mode {mode!r}")
    spatial = view.rank() == 4 and not any(map(any, pads[:2])) and min(map(min, pads)) >= 0
    if not spatial or (mode == "edge" and max(map(max, pads)) > _MOST_EDGES):
        return _gathered(view, pads, mode)
    (top, bottom), (left, right) = pads[2:]
    if mode == "reflect":
        return view.step(
            lambda x: F.pad(x, (left, right, top, bottom), mode="reflect"), view.name(0)
        )
    return view.step(lambda x: repeated(x, pads[2:]), view.name(0))


def _constant(view: NodeView, pads: Pads, value: float) -> Step:
    if view.rank() == 4 and not any(pads[0]) and min(map(min, pads)) >= 0:
        zero = zero_of(view.shape()[1])

        def surround(x: Tensor, zero: Tensor) -> Tensor:
            return bordered(x, zero, pads[2:], value, channels=pads[1])

        return view.step(surround, view.name(0), zero)
    flat = tuple(n for pair in reversed(pads) for n in pair)
    return view.step(lambda x: F.pad(x, flat, value=value), view.name(0))


def _gathered(view: NodeView, pads: Pads, mode: str) -> Step:
    """Take each position of the result from where it stands in the input."""
    operands: list[Tensor] = []
    axes = [axis for axis, pair in enumerate(pads) if any(pair)]
    for axis in axes:
        size, (before, after) = view.shape()[axis], pads[axis]
        if mode == "reflect" and max(before, after) >= size:
            raise view.refusal(f"reflects {max(before, after)} of {size} elements")
        at = torch.arange(-before, size + after)
        last = size - 1
        operands.append(last - (last - at.abs()).abs() if mode == "reflect" else at.clamp(0, last))

    def take(x: Tensor, *positions: Tensor) -> Tensor:
        for axis, position in zip(axes, positions, strict=True):
            x = x.index_select(axis, position)
        return x

    return view.step(take, view.name(0), *operands)


BUILDERS: dict[str, Builder] = {"Pad": _pad}
