"""Operators that move, cut and join numbers without changing them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from export.onnx_writer.infer import Unwritable
from export.onnx_writer.site import Emitter, Site
from export.onnx_writer.values import TO_FIRST, TO_LAST, Value, stored_axis

__all__ = ["LAYOUT"]


def _reshape(site: Site) -> None:
    wanted = site.numbers(1) if site.count > 1 else _listed(site, "newShape")
    x = site.input(0)
    known = math.prod(size for size in wanted if size != -1)
    if wanted.count(-1) == 1 and known and x.size % known == 0:
        wanted[wanted.index(-1)] = x.size // known
    _to_shape(site, x, wanted)


def _squeeze(site: Site) -> None:
    shape = site.input(0).logical
    axes = {axis % len(shape) for axis in _listed(site, "squeezeDims")}
    axes = axes or {axis for axis, size in enumerate(shape) if size == 1}
    if any(shape[axis] != 1 for axis in axes):
        raise Unwritable(f"takes axes {sorted(axes)} out of {list(shape)}")
    _to_shape(site, site.input(0), [n for axis, n in enumerate(shape) if axis not in axes])


def _expand_dims(site: Site) -> None:
    shape = list(site.input(0).logical)
    (axis,) = site.numbers(1)
    shape.insert(axis % (len(shape) + 1), 1)
    _to_shape(site, site.input(0), shape)


def _to_shape(site: Site, x: Value, shape: Sequence[int]) -> None:
    if math.prod(shape) != x.size or min(shape, default=1) < 0:
        raise Unwritable(f"turns {list(x.logical)} into {list(shape)}")
    # One pixel or one channel: the numbers stand in the same order either way.
    source = x if x.same_order else site.builder.plain(x)
    site.result("Reshape", [source, site.whole(shape)])


def _transpose(site: Site) -> None:
    """Write a Transpose, unless it only undoes or asks for the layout that is stored anyway."""
    x = site.input(0)
    order = tuple(site.numbers(1))
    if sorted(order) != list(range(x.rank)):
        raise Unwritable(f"has order {list(order)}")
    # Axis of the result, as the TFLite file has it, to the axis that is stored.
    stored = [x.axis(axis) for axis in order]
    if stored == sorted(stored):
        site.alias(x, channels_first=False)
    elif x.rank == 4 and [stored[axis] for axis in TO_FIRST] == [0, 1, 2, 3]:
        site.alias(x, channels_first=True)
    elif x.rank == 4 and x.data is None and order == TO_FIRST:
        site.alias(site.first(0), channels_first=False)
    elif x.rank == 4 and x.data is None and order == TO_LAST and x.channels_first:
        site.alias(site.plain(0), channels_first=True)
    else:
        site.result("Transpose", [x], perm=stored)


def _concat(site: Site) -> None:
    if site.text("fusedActivationFunction", "NONE") != "NONE":
        raise Unwritable("has a fused activation, which LiteRT passes over")
    parts, first = site.alike(range(site.count))
    axis = stored_axis(site.option("axis"), parts[0].rank, channels_first=first)
    site.result("Concat", parts, channels_first=first, axis=axis)


def _split(site: Site) -> None:
    (axis,) = site.numbers(0)
    x = site.input(1)
    count = site.option("numSplits")
    size = x.shape[x.axis(axis)]
    if count != len(site.outputs) or size % max(count, 1):
        raise Unwritable(f"splits {size} into {count}")
    _write_split(site, x, axis, [size // count] * count)


def _split_v(site: Site) -> None:
    sizes = site.numbers(1)
    (axis,) = site.numbers(2)
    x = site.input(0)
    if sizes.count(-1) == 1:
        sizes[sizes.index(-1)] = x.shape[x.axis(axis)] - sum(sizes) - 1
    if len(sizes) != len(site.outputs) or min(sizes) < 0:
        raise Unwritable(f"splits into {sizes}")
    _write_split(site, x, axis, sizes)


def _write_split(site: Site, x: Value, axis: int, sizes: list[int]) -> None:
    names = [tensor.name for tensor in site.outputs]
    site.results += site.builder.nodes(
        "Split",
        [x, site.whole(sizes)],
        names,
        channels_first=x.channels_first,
        axis=x.axis(axis),
    )


def _slice(site: Site) -> None:
    x = site.input(0)
    begin, size = site.numbers(1), site.numbers(2)
    if not len(begin) == len(size) == x.rank:
        raise Unwritable(f"cuts {size} at {begin}")
    ends = [
        whole if n == -1 else start + n
        for start, n, whole in zip(begin, size, x.logical, strict=True)
    ]
    _write_slice(site, x, begin, ends, [1] * x.rank)


def _strided_slice(site: Site) -> None:
    x = site.input(0)
    begin, end, strides = (site.numbers(place) for place in (1, 2, 3))
    if site.option("ellipsisMask") or site.option("newAxisMask"):
        raise Unwritable("an ellipsis or a new axis is not supported")
    if not len(begin) == len(end) == len(strides) <= x.rank or 0 in strides:
        raise Unwritable(f"cuts from {begin} to {end} by {strides}")
    if site.option("offset"):
        end = [start + length for start, length in zip(begin, end, strict=True)]
    starts, ends, gone = [], [], []
    for axis, (start, stop, step) in enumerate(zip(begin, end, strides, strict=True)):
        size = x.logical[axis]
        bit = 1 << axis
        if site.option("shrinkAxisMask") & bit:
            start = start + size if start < 0 else start
            if not 0 <= start < size:
                raise Unwritable(f"takes {start} of {size}")
            stop, strides[axis] = start + 1, 1
            gone.append(axis)
        else:
            low = None if site.option("beginMask") & bit else start
            high = None if site.option("endMask") & bit else stop
            start, stop, _ = slice(low, high, step).indices(size)
            # ONNX counts a negative end from the end once more, so go below the first element.
            stop = stop - size if stop < 0 else stop
        starts.append(start)
        ends.append(stop)
    _write_slice(site, x, starts, ends, strides, gone)


def _write_slice(
    site: Site,
    x: Value,
    starts: Sequence[int],
    ends: Sequence[int],
    steps: Sequence[int],
    gone: Sequence[int] = (),
) -> None:
    """Write a Slice of the first axes; ``gone`` are then of length one and taken out.

    An axis that stays whole is not named, so that it may be longer (see ``leading``); one is, where
    all do.
    """
    whole = [(0, size, 1) for size in x.logical]
    cuts = dict(enumerate(zip(starts, ends, steps, strict=True)))
    last = x.rank - 1
    cuts = {axis: cut for axis, cut in cuts.items() if cut != whole[axis]} or {last: whole[last]}
    axes = site.whole([x.axis(axis) for axis in cuts])
    begin, end, step = (site.whole(numbers) for numbers in zip(*cuts.values(), strict=True))
    inputs = [x, begin, end, axes, step]
    if not gone:
        site.result("Slice", inputs, channels_first=x.channels_first)
        return
    cut = site.emit("Slice", inputs, channels_first=x.channels_first)
    site.builder.holds(cut, site.name)
    _to_shape(site, cut, [n for axis, n in enumerate(cut.logical) if axis not in gone])


def _reverse(site: Site) -> None:
    x = site.input(0)
    axes = {axis % x.rank for axis in site.numbers(1)}
    turned = [axis in axes for axis in range(x.rank)]
    # ONNX counts a negative end from the end once more, so go below the first element.
    ends = [-n - 1 if back else n for n, back in zip(x.logical, turned, strict=True)]
    starts = [n - 1 if back else 0 for n, back in zip(x.logical, turned, strict=True)]
    _write_slice(site, x, starts, ends, [-1 if back else 1 for back in turned])


def _gather(site: Site) -> None:
    x, index = site.input(0), site.input(1)
    if index.data is None:
        raise Unwritable("its indices must be constants")
    if site.option("batchDims"):
        raise Unwritable("batched indices are not supported")
    x = x if index.rank == 1 else site.plain(0)
    axis = x.axis(site.option("axis"))
    site.result("Gather", [x, site.whole(index.data)], channels_first=x.channels_first, axis=axis)


def _gather_nd(site: Site) -> None:
    x, index = site.plain(0), site.plain(1)
    if index.data is None:
        raise Unwritable("its indices must be constants")
    if index.shape[-1] != 1:
        site.result("GatherND", [x, site.whole(index.data)])
        return
    # Of one axis it is a Gather, which computes in INT8.
    site.result("Gather", [x, site.whole(index.data[..., 0])], axis=0)


def _pack(site: Site) -> None:
    parts = []
    for place in range(site.count):
        part = site.plain(place)
        axis = site.option("axis") % (part.rank + 1)
        shape = [*part.shape[:axis], 1, *part.shape[axis:]]
        parts.append(site.emit("Reshape", [part, site.whole(shape)]))
    site.result("Concat", parts, axis=axis)


def _unpack(site: Site) -> None:
    x = site.plain(0)
    axis = x.axis(site.option("axis"))
    count = len(site.outputs)
    if x.shape[axis] != count:
        raise Unwritable(f"unpacks {x.shape[axis]} into {count}")
    shape = [size for place, size in enumerate(x.shape) if place != axis]
    names = [f"{tensor.name}/Split" for tensor in site.outputs]
    parts = site.builder.nodes("Split", [x, site.whole([1] * count)], names, axis=axis)
    for part, tensor in zip(parts, site.outputs, strict=True):
        site.builder.holds(part, tensor.name)
        site.result("Reshape", [part, site.whole(shape)])


def _broadcast_to(site: Site) -> None:
    site.result("Expand", [site.plain(0), site.whole(site.numbers(1))])


def _tile(site: Site) -> None:
    site.result("Tile", [site.plain(0), site.whole(site.numbers(1))])


def _shape(site: Site) -> None:
    shape = np.array(site.input(0).logical, site.outputs[0].dtype)
    site.alias(site.builder.constant(shape, site.name), channels_first=False)


def _listed(site: Site, key: str) -> list[int]:
    listed = site.node.options.get(key, ())
    return list(listed) if isinstance(listed, tuple) else []


LAYOUT: Mapping[str, Emitter] = {
    "BROADCAST_TO": _broadcast_to,
    "CONCATENATION": _concat,
    "EXPAND_DIMS": _expand_dims,
    "GATHER": _gather,
    "GATHER_ND": _gather_nd,
    "PACK": _pack,
    "RESHAPE": _reshape,
    "REVERSE_V2": _reverse,
    "SHAPE": _shape,
    "SLICE": _slice,
    "SPLIT": _split,
    "SPLIT_V": _split_v,
    "SQUEEZE": _squeeze,
    "STRIDED_SLICE": _strided_slice,
    "TILE": _tile,
    "TRANSPOSE": _transpose,
    "UNPACK": _unpack,
}
