"""MaxPool, AveragePool and the global ones."""

from __future__ import annotations

import math

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
    over = []
    for size, span, stride, (before, after) in zip(
        sizes, window.kernel, window.strides, window.pads, strict=True
    ):
        rest = (size + before + after - span) % stride
        more = stride - rest if rest and view.integer("ceil_mode", 0) else 0
        # A window that would begin behind the input and the border before it is left out.
        last = (size + before + after + more - span) // stride * stride
        over.append((0, more if last < size + before else 0))
        if size + before + after < span or max(before, after) >= span:
            raise view.refusal(f"has a window of {span} for {before} + {size} + {after} elements")
    return window, tuple(over)


def _grown(pads: Pads, over: Pads) -> Pads:
    return tuple((a + c, b + d) for (a, b), (c, d) in zip(pads, over, strict=True))


def _plain(view: NodeView, window: Window, over: Pads) -> bool:
    """Tell whether TFLite has the pool as it stands: no border, or SAME and even.

    Of any other border the converter makes SAME where one axis has it, which is wrong for the
    other axis; such a border is put on before the pool.
    """
    if any(map(any, over)):
        return False
    axes = zip(view.shape()[2:], window.kernel, window.strides, strict=True)
    same = tuple(same_pads(size, span, stride) for size, span, stride in axes)
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
    counted = torch.ones((1, 1, *view.shape()[2:]))
    counted = F.pad(counted, _flat(window.pads), value=float(counts_pads))
    # The pool divides by its whole area; each place is owed the area over what it may count.
    owed = 1.0 / pool(F.pad(counted, _flat(over)), kernel, strides)

    def surround_and_pool(x: Tensor, zero: Tensor, *owed: Tensor) -> Tensor:
        found = pool(bordered(x, zero, pads), kernel, strides)
        return found * owed[0] if owed else found

    constants = [zero_of(view.shape()[1])] + ([] if bool((owed == 1).all()) else [owed])
    return view.step(surround_and_pool, view.name(0), *constants)


def _flat(pads: Pads) -> tuple[int, ...]:
    return tuple(n for pair in reversed(pads) for n in pair)


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
