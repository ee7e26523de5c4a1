"""MaxPool, AveragePool and the global ones."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from export.importers.onnx.steps.activation import never_negative
from export.importers.onnx.steps.layout import Pads, bordered, repeated, zero_of
from export.importers.onnx.steps.reduce import mean
from export.importers.onnx.steps.window import Window, read_window, same_pads
from export.importers.onnx.view import Builder, NodeView, Step

__all__ = ["BUILDERS"]


def _window(view: NodeView) -> tuple[Window, Pads]:
    """Return the window, and how far it reaches over the padded end where sizes are rounded up."""
    kernel = view.integers("kernel_shape")
    if view.rank() not in (3, 4) or kernel is None:
        raise view.refusal(f"has input {list(view.shape())} and kernel {kernel}")
    sizes = view.shape()[2:]
    window = read_window(view, sizes, kernel)
    if any(n != 1 for n in window.dilations):
        raise view.refusal(f"has dilations {list(window.dilations)}")
    for size, span, _, (before, after), _ in _axes(view, window):
        if size + before + after < span or max(before, after) >= span:
            raise view.refusal(f"has a window of {span} for {before} + {size} + {after} elements")
    return window, tuple((0, more) for *_, more in _axes(view, window))


def _axes(view: NodeView, window: Window) -> Iterator[tuple[int, int, int, tuple[int, int], int]]:
    """Yield size, span, stride, pads and overhang of each spatial axis."""
    for size, span, stride, (before, after) in zip(
        view.shape()[2:], window.kernel, window.strides, window.pads, strict=True
    ):
        rest = (size + before + after - span) % stride
        more = stride - rest if rest and view.integer("ceil_mode", 0) else 0
        # A window that would begin behind the input and the border before it is left out.
        last = (size + before + after + more - span) // stride * stride
        yield size, span, stride, (before, after), more if last < size + before else 0


def _grown(pads: Pads, over: Pads) -> Pads:
    return tuple((a + c, b + d) for (a, b), (c, d) in zip(pads, over, strict=True))


def _plain(view: NodeView, window: Window, over: Pads) -> bool:
    """Tell whether TFLite has the pool as it stands: no border, or SAME and even.

    Of any other border the converter makes SAME where one axis has it, which is wrong for the
    other axis; such a border is put on before the pool.
    """
    if any(map(any, over)):
        return False
    same = tuple(same_pads(size, span, stride) for size, span, stride, *_ in _axes(view, window))
    return not any(map(any, window.pads)) or (window.even and window.pads == same)


def _max_pool(view: NodeView) -> Step:
    if view.integer("storage_order", 0):
        raise view.refusal("stores columns first")
    window, over = _window(view)
    pool = F.max_pool1d if len(window.kernel) == 1 else F.max_pool2d
    kernel, strides, before = window.kernel, window.strides, window.before
    if _plain(view, window, over):
        return view.step(lambda x: pool(x, kernel, strides, before))
    pads = _grown(window.pads, over)
    if view.rank() == 4 and not never_negative(view):
        # Every window that reaches over an edge holds the edge too, so that to repeat it changes
        # no maximum, where the lowest number of all would take INT8 its range.
        return view.step(lambda x: pool(repeated(x, pads), kernel, strides), view.name(0))
    # Zero is no larger than what is never negative.
    value = 0.0 if never_negative(view) else -math.inf

    def surround_and_pool(x: Tensor, zero: Tensor) -> Tensor:
        return pool(bordered(x, zero, pads, value), kernel, strides)

    return view.step(surround_and_pool, view.name(0), zero_of(view.shape()[1]))


def _average_pool(view: NodeView) -> Step:
    window, over = _window(view)
    pool = F.avg_pool1d if len(window.kernel) == 1 else F.avg_pool2d
    kernel, strides, before = window.kernel, window.strides, window.before
    counts_pads = bool(view.integer("count_include_pad", 0))
    # The converter has no average with a border that is not counted at other strides than 1.
    bordered_plainly = set(strides) == {1} and not counts_pads
    if _plain(view, window, over) and (bordered_plainly or not any(before)):
        return view.step(lambda x: pool(x, kernel, strides, before, count_include_pad=False))
    pads = _grown(window.pads, over)
    owed = _owed(view, window, counts_pads)

    def surround_and_pool(x: Tensor, zero: Tensor, *owed: Tensor) -> Tensor:
        found = pool(bordered(x, zero, pads), kernel, strides)
        return found * owed[0] if owed else found

    constants = [zero_of(view.shape()[1])] + ([] if bool((owed == 1).all()) else [owed])
    return view.step(surround_and_pool, view.name(0), *constants)


def _owed(view: NodeView, window: Window, counts_pads: bool) -> Tensor:
    """Return what each average has to be multiplied by.

    The pool divides by its whole area and may count fewer elements of it: those of the input, or
    those of the input and its pads, but not what lies beyond where sizes are rounded up.
    """
    owed = torch.ones(())
    for size, span, stride, (before, after), more in _axes(view, window):
        low, high = (-before, size + after) if counts_pads else (0, size)
        first = torch.arange(-before, size + after + more - span + 1, stride)
        counted = (first + span).clamp(max=high) - first.clamp(min=low)
        owed = owed.unsqueeze(-1) * (span / counted.to(torch.float32))
    return owed.reshape((1, 1, *owed.shape))


def _global_average(view: NodeView) -> Step:
    axes = _spatial(view)
    return view.step(lambda x: mean(x, axes))


def _global_max(view: NodeView) -> Step:
    axes = _spatial(view)
    return view.step(lambda x: x.amax(axes, keepdim=True))


def _spatial(view: NodeView) -> tuple[int, ...]:
    if view.rank() < 3:
        raise view.refusal(f"has input {list(view.shape())}")
    return tuple(range(2, view.rank()))


BUILDERS: dict[str, Builder] = {
    "MaxPool": _max_pool,
    "AveragePool": _average_pool,
    "GlobalAveragePool": _global_average,
    "GlobalMaxPool": _global_max,
}
