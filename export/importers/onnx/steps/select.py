"""Take parts of tensors, or put them together."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from export.importers.onnx.steps.layout import CHANNELS_LAST, channels_last
from export.importers.onnx.view import Builder, NodeView, Step

__all__ = ["BUILDERS"]

#: Places that a Gather may take.
_MOST_PLACES = 1 << 20
#: Runs of neighbours that are cut out one by one, which INT8 has and TFLite's gathers have not.
_MOST_RUNS = 4


def _concat(view: NodeView) -> Step:
    axis = view.axis(0)
    return view.step(lambda *parts: torch.cat(parts, dim=axis))


def _split(view: NodeView) -> Step:
    axis, parts = view.axis(0), len(view.node.outputs)
    size = view.shape()[axis]
    sizes = view.whole(1) if view.has(1) else view.integers("split")
    if sizes is None:
        each = math.ceil(size / parts)
        sizes = (*(each,) * (parts - 1), size - each * (parts - 1))
        if view.integer("num_outputs", parts) != parts:
            raise view.refusal(f"has {parts} results")
    if len(sizes) != parts or min(sizes) < 0 or sum(sizes) != size:
        raise view.refusal(f"splits {size} into {list(sizes)}")
    return view.step(lambda x: torch.split(x, list(sizes), dim=axis), view.name(0))


def _slice(view: NodeView) -> Step:
    if view.has(1):
        starts, ends = view.whole(1), view.whole(2)
        axes, steps = view.whole(3), view.whole(4)
    else:
        starts, ends = view.integers("starts"), view.integers("ends")
        axes, steps = view.integers("axes"), None
    starts, ends = starts or (), ends or ()
    steps = steps or (1,) * len(starts)
    axes = view.axes_of(axes or tuple(range(len(starts))))
    if not len(starts) == len(ends) == len(steps) == len(axes) or 0 in steps:
        raise view.refusal(f"has starts {list(starts)}, ends {list(ends)}, steps {list(steps)}")
    functions = []
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        size = view.shape()[axis]
        # Python's own slices clamp as the operator's document says, one backwards end apart.
        last = None if step < 0 and end < -size else end
        taken = range(size)[slice(start, last, step)]
        functions.append(_stride(axis, size, taken))

    def cut(x: Tensor) -> Tensor:
        for function in functions:
            x = function(x)
        return x

    return view.step(cut, view.name(0))


def _stride(axis: int, size: int, taken: range) -> Callable[[Tensor], Tensor]:
    """Return a function that takes evenly spaced places of an axis, backwards ones too."""
    if taken == range(size):
        return lambda x: x
    before = (slice(None),) * axis
    if taken.step > 0:
        return lambda x: x[(*before, slice(taken.start, taken.stop, taken.step))]
    if len(taken) <= _MOST_RUNS:
        # The colours of a picture, turned round.
        return lambda x: _cut_out(x, axis, [range(n, n + 1) for n in taken])
    flipped = slice(size - 1 - taken.start, size - 1 - taken.stop, -taken.step)
    return lambda x: x.flip(axis)[(*before, flipped)]


def _gather(view: NodeView) -> Step:
    axis, indices = view.axis(0), view.constant(1)
    size = view.shape()[axis]
    flat = indices.reshape(-1)
    if flat.numel() > _MOST_PLACES:
        raise view.refusal(f"takes {flat.numel()} places")
    if indices.is_floating_point() or bool(((flat < -size) | (flat >= size)).any()):
        raise view.refusal(f"takes what is not among {size} elements")
    places = [int(n) % size for n in flat.tolist()]
    shape = (*view.shape()[:axis], *indices.shape, *view.shape()[axis + 1 :])
    spaced = _spaced(places)
    if spaced is not None:
        stride = _stride(axis, size, spaced)
        return view.step(lambda x: stride(x).reshape(shape), view.name(0))
    if len(runs := _runs(places)) <= _MOST_RUNS:
        return view.step(lambda x: _cut_out(x, axis, runs).reshape(shape), view.name(0))
    if view.rank() == 4:
        place = CHANNELS_LAST[axis]
        take = channels_last(lambda x, at: x.index_select(place, at))
    else:

        def take(x: Tensor, at: Tensor) -> Tensor:
            return x.index_select(axis, at)

    at = torch.tensor(places, dtype=torch.int64)
    return view.step(lambda x, at: take(x, at).reshape(shape), view.name(0), at)


def _gather_nd(view: NodeView) -> Step:
    indices = view.constant(1)
    if view.integer("batch_dims", 0) or indices.is_floating_point() or indices.dim() < 1:
        raise view.refusal(f"has batch_dims {view.integer('batch_dims', 0)}")
    _check_places(view, indices)
    return view.step(lambda x, at: x[tuple(at.unbind(-1))], view.name(0), indices)


def _check_places(view: NodeView, indices: Tensor) -> None:
    """Refuse indices that are not in the first input, each a row along the last axis."""
    sizes = torch.tensor(view.shape()[: indices.shape[-1]])
    if indices.numel() > _MOST_PLACES or len(sizes) != indices.shape[-1]:
        raise view.refusal(f"takes {list(indices.shape)} places of {list(view.shape())}")
    if bool(((indices < -sizes) | (indices >= sizes)).any()):
        raise view.refusal(f"takes what is not in {list(view.shape())}")


def _spaced(places: list[int]) -> range | None:
    """Return places as a range if they are evenly spaced."""
    if not places:
        return range(0)
    step = places[1] - places[0] if len(places) > 1 else 1
    found = range(places[0], places[0] + step * len(places), step) if step else None
    return found if found is not None and list(found) == places else None


def _runs(places: list[int]) -> list[range]:
    """Return places as runs of neighbours, in their order."""
    found: list[range] = []
    for place in places:
        if found and found[-1].stop == place:
            found[-1] = range(found[-1].start, place + 1)
        else:
            found.append(range(place, place + 1))
    return found


def _cut_out(x: Tensor, axis: int, runs: list[range]) -> Tensor:
    return torch.cat([x.narrow(axis, run.start, len(run)) for run in runs], dim=axis)


BUILDERS: dict[str, Builder] = {
    "Concat": _concat,
    "Split": _split,
    "Slice": _slice,
    "Gather": _gather,
    "GatherND": _gather_nd,
}
