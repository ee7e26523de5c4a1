"""Operators that move numbers without changing them."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from export.importers.onnx.steps.layout import channels_last
from export.importers.onnx.steps.reduce import with_axes_kept
from export.importers.onnx.view import Builder, NodeView, Step

__all__ = ["BUILDERS"]

#: More copies than this along an axis are no network.
_MOST_COPIES = 256
#: The transposition that shuffles groups of channels: ``[N, groups, each, H, W]``.
_SHUFFLE = (0, 2, 1, 3, 4)


def _reshape(view: NodeView) -> Step:
    shape, old = _target(view), view.shape()
    shuffled = _shuffled(view, shape)
    if shuffled is not None:
        return shuffled
    if shape == old:
        return view.step(lambda x: x, view.name(0))
    kept = with_axes_kept(view, shape)
    if kept is not None:
        return kept
    return view.step(lambda x: x.reshape(shape), view.name(0))


def _target(view: NodeView) -> tuple[int, ...]:
    """Return the shape with its 0 and -1 filled in."""
    wanted, old = list(view.whole(1) or ()), view.shape()
    if not view.integer("allowzero", 0):
        for axis, size in enumerate(wanted):
            if size == 0:
                if axis >= len(old):
                    raise view.refusal(f"copies axis {axis} of {list(old)}")
                wanted[axis] = old[axis]
    count, rest = math.prod(old), math.prod(n for n in wanted if n != -1)
    if wanted.count(-1) == 1 and rest and count % rest == 0:
        wanted[wanted.index(-1)] = count // rest
    if min(wanted, default=0) < 0 or math.prod(wanted) != count:
        raise view.refusal(
            f"makes {list(view.whole(1) or ())} of {list(old)}",
            hint="give another size with --imgsz HxW",
        )
    return tuple(wanted)


def _shuffled(view: NodeView, shape: tuple[int, ...]) -> Step | None:
    """Return the shuffling of channels that this reshape ends, with one transposition."""
    turn = view.maker("Transpose")
    split = turn.maker("Reshape") if turn and turn.integers("perm") == _SHUFFLE else None
    if split is None or split.rank() != 4 or shape != split.shape():
        return None
    batch, channels, height, width = shape
    groups = view.shape()[2]
    if view.shape() != (batch, channels // groups, groups, height, width):
        return None

    def shuffle(x: Tensor) -> Tensor:
        rows = x.reshape(batch * height * width, groups, channels // groups).transpose(1, 2)
        return rows.reshape(batch, height, width, channels)

    return view.step(channels_last(shuffle), split.name(0))


def _flatten(view: NodeView) -> Step:
    shape, axis = view.shape(), view.integer("axis", 1)
    if not -len(shape) <= axis <= len(shape):
        raise view.refusal(f"has axis {axis} for {list(shape)}")
    axis = axis + len(shape) if axis < 0 else axis
    flat = (math.prod(shape[:axis]), math.prod(shape[axis:]))
    return view.step(lambda x: x.reshape(flat))


def _named_axes(view: NodeView) -> tuple[int, ...] | None:
    return view.whole(1) if view.has(1) else view.integers("axes")


def _squeeze(view: NodeView) -> Step:
    named, shape = _named_axes(view), view.shape()
    axes = tuple(a for a, n in enumerate(shape) if n == 1) if named is None else view.axes_of(named)
    if any(shape[axis] != 1 for axis in axes):
        raise view.refusal(f"drops axes {list(axes)} of {list(shape)}")
    left = tuple(n for axis, n in enumerate(shape) if axis not in axes)
    return view.step(lambda x: x.reshape(left), view.name(0))


def _unsqueeze(view: NodeView) -> Step:
    named = _named_axes(view) or ()
    axes = view.axes_of(named, rank=view.rank() + len(named))
    sizes = iter(view.shape())
    shape = tuple(1 if a in axes else next(sizes) for a in range(view.rank() + len(named)))
    return with_axes_kept(view, shape) or view.step(lambda x: x.reshape(shape), view.name(0))


def _transpose(view: NodeView) -> Step:
    order = view.integers("perm") or tuple(reversed(range(view.rank())))
    if len(view.axes_of(order)) != view.rank():
        raise view.refusal(f"has order {list(order)} for {list(view.shape())}")
    return view.step(lambda x: x.permute(order))


def _expand(view: NodeView) -> Step:
    wanted, old = view.whole(1) or (), view.shape()
    rank = max(len(wanted), len(old))
    source = (1,) * (rank - len(old)) + old
    target = (1,) * (rank - len(wanted)) + wanted
    if any(a != b and 1 not in (a, b) for a, b in zip(source, target, strict=True)):
        raise view.refusal(f"expands {list(old)} to {list(wanted)}")
    factors = tuple(b if a == 1 else 1 for a, b in zip(source, target, strict=True))
    return _copied(view, source, factors)


def _tile(view: NodeView) -> Step:
    copies = view.whole(1) or ()
    if len(copies) != view.rank() or min(copies, default=1) < 1 or max(copies) > _MOST_COPIES:
        raise view.refusal(f"has copies {list(copies)} for {list(view.shape())}")
    single = tuple(n if size == 1 else 1 for n, size in zip(copies, view.shape(), strict=True))
    if single == copies:
        return _copied(view, view.shape(), copies)

    def tile(x: Tensor) -> Tensor:
        for axis, count in enumerate(copies):
            x = torch.cat([x] * count, dim=axis) if count > 1 else x
        return x

    return view.step(tile, view.name(0))


def _copied(view: NodeView, source: tuple[int, ...], factors: tuple[int, ...]) -> Step:
    """Spread axes of size 1 by a product with ones, which every layout and INT8 have."""
    if all(n == 1 for n in factors):
        return view.step(lambda x: x.reshape(source), view.name(0))
    result = tuple(max(a, b) for a, b in zip(source, factors, strict=True))
    if math.prod(result) > 1 << 26:
        raise view.refusal(f"expands to {list(result)}")
    if view.known(0) is not None:
        return view.step(lambda x: x.reshape(source).expand(result), view.name(0))
    return view.step(lambda x, ones: x.reshape(source) * ones, view.name(0), torch.ones(factors))


def _depth_to_space(view: NodeView) -> Step:
    side, mode = view.integer("blocksize", 0), view.text("mode", "DCR")
    if view.rank() != 4 or side < 1 or view.shape()[1] % (side * side):
        raise view.refusal(f"has blocksize {side} for {list(view.shape())}")
    batch, channels, height, width = view.shape()
    depth = channels // (side * side)
    if mode not in ("DCR", "CRD"):
        raise view.refusal(f"has mode {mode!r}")

    def spread(x: Tensor) -> Tensor:
        if mode == "DCR":
            parts = x.reshape(batch * height, width, side, side * depth).permute(0, 2, 1, 3)
        else:
            parts = x.reshape(batch * height, width, depth, side, side).permute(0, 3, 1, 4, 2)
        return parts.reshape(batch, height * side, width * side, depth)

    return view.step(channels_last(spread))


def _space_to_depth(view: NodeView) -> Step:
    side = view.integer("blocksize", 0)
    if view.rank() != 4 or side < 1 or any(n % side for n in view.shape()[2:]):
        raise view.refusal(f"has blocksize {side} for {list(view.shape())}")
    batch, channels, height, width = view.shape()
    rows, columns = height // side, width // side

    def gather(x: Tensor) -> Tensor:
        parts = x.reshape(batch * rows, side, columns, side * channels).permute(0, 2, 1, 3)
        return parts.reshape(batch, rows, columns, side * side * channels)

    return view.step(channels_last(gather))


def _same(view: NodeView) -> Step:
    return view.step(lambda x: x, view.name(0))


def _dropout(view: NodeView) -> Step:
    training = view.known(2)
    if training is not None and bool(training.any()):
        raise view.refusal("is in training mode", hint="export the network in eval mode")
    return _same(view)


BUILDERS: dict[str, Builder] = {
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Transpose": _transpose,
    "Expand": _expand,
    "Tile": _tile,
    "DepthToSpace": _depth_to_space,
    "SpaceToDepth": _space_to_depth,
    "Identity": _same,
    "Dropout": _dropout,
}
