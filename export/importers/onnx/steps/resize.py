"""Resize and Upsample: height and width of a picture."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from export.importers.onnx.view import Builder, NodeView, Step

__all__ = ["BUILDERS"]

_Positions = NDArray[np.floating[Any]]
#: From the positions of the result, the two sizes and the scale to positions of the input; the
#: names and formulas of the operator's own document. A size of 1 has no corners to align.
_TRANSFORMS: dict[str, Callable[[_Positions, int, int, np.float32], _Positions]] = {
    "half_pixel": lambda x, old, new, s: (x + 0.5) / s - 0.5,
    "pytorch_half_pixel": lambda x, old, new, s: (x + 0.5) / s - 0.5 if new > 1 else x * 0,
    "half_pixel_symmetric": lambda x, old, new, s: (
        np.float32(old / 2) * (1 - np.float32(new) / (s * np.float32(old))) + (x + 0.5) / s - 0.5
    ),
    "align_corners": lambda x, old, new, s: (
        x * np.float32(old - 1) / np.float32(new - 1) if new > 1 else x * 0
    ),
    "asymmetric": lambda x, old, new, s: x / s,
}
_ROUNDINGS: dict[str, Callable[[_Positions], _Positions]] = {
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}
_LARGEST = 65536
#: How far two interpolated positions may lie apart, in elements.
_NEAR = 1e-4


def _resize(view: NodeView) -> Step:
    """Read Resize; version 10 has no roi and no choice of coordinates."""
    for name in ("antialias", "exclude_outside"):
        if view.integer(name, 0):
            raise view.refusal(f"has {name}")
    if view.text("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise view.refusal("keeps the aspect ratio")
    if view.opset < 11:
        return _build(view, _by_scales(view, 1), "asymmetric", "old")
    axes = view.axes_of(view.integers("axes") or tuple(range(view.rank())))
    sizes = view.whole(3)
    if sizes:
        if len(sizes) != len(axes):
            raise view.refusal(f"has {len(sizes)} sizes for {len(axes)} axes")
        plan = _plan(view, dict(zip(axes, sizes, strict=True)), {})
    else:
        plan = _by_scales(view, 2, axes)
    return _build(
        view,
        plan,
        view.text("coordinate_transformation_mode", "half_pixel"),
        view.text("nearest_mode", "round_prefer_floor"),
    )


def _upsample(view: NodeView) -> Step:
    return _build(view, _by_scales(view, 1), "asymmetric", "floor")


#: New height and width, and their scales.
_Plan = tuple[tuple[int, int], tuple[float, float]]


def _by_scales(view: NodeView, position: int, axes: tuple[int, ...] = ()) -> _Plan:
    axes = axes or tuple(range(view.rank()))
    scales = view.known(position)
    if scales is None or scales.dim() != 1 or len(scales) != len(axes):
        raise view.refusal("has neither sizes nor a scale for each axis")
    found = dict(zip(axes, (float(s) for s in scales), strict=True))
    if not all(math.isfinite(s) and 0 < s <= 1024 for s in found.values()):
        raise view.refusal(f"has scales {list(found.values())}")
    shape = view.shape()
    return _plan(view, {a: math.floor(shape[a] * s) for a, s in found.items()}, found)


def _plan(view: NodeView, sizes: dict[int, int], scales: dict[int, float]) -> _Plan:
    shape = view.shape()
    if view.rank() != 4:
        raise view.refusal(f"has input {list(shape)}")
    if any(sizes.get(axis, shape[axis]) != shape[axis] for axis in (0, 1)):
        raise view.refusal("resizes the batch or the channels")
    new = (sizes.get(2, shape[2]), sizes.get(3, shape[3]))
    if min(new) < 1 or max(new) > _LARGEST:
        raise view.refusal(f"makes a picture of {new[0]}x{new[1]}")
    plain = [size / old for size, old in zip(new, shape[2:], strict=True)]
    return new, (scales.get(2, plain[0]), scales.get(3, plain[1]))


def _build(view: NodeView, plan: _Plan, transform: str, rounding: str) -> Step:
    mode, (new, scales) = view.text("mode", "nearest"), plan
    if mode not in ("nearest", "linear", "cubic") or transform not in _TRANSFORMS:
        raise view.refusal(f"has mode {mode!r} with coordinates {transform!r}")
    positions = [
        _TRANSFORMS[transform](np.arange(size, dtype=np.float32), old, size, np.float32(scale))
        for old, size, scale in zip(view.shape()[2:], new, scales, strict=True)
    ]
    if mode == "nearest":
        return _nearest(view, positions, new, rounding, scales)
    return _linear(view, positions, new) if mode == "linear" else _cubic(view, positions)


def _nearest(
    view: NodeView,
    positions: list[_Positions],
    new: tuple[int, int],
    rounding: str,
    scales: tuple[float, float],
) -> Step:
    taken = []
    for old, at, scale in zip(view.shape()[2:], positions, scales, strict=True):
        # Before there was a choice, onnxruntime took the next element where it shrinks.
        name = rounding if rounding != "old" else ("ceil" if scale < 1 else "floor")
        if name not in _ROUNDINGS:
            raise view.refusal(f"has nearest_mode {name!r}")
        taken.append(torch.from_numpy(_ROUNDINGS[name](at).clip(0, old - 1)).long())
    ramps = [_ramp(old, size, "nearest") for old, size in zip(view.shape()[2:], new, strict=True)]
    if all(torch.equal(ramp.long(), at) for ramp, at in zip(ramps, taken, strict=True)):
        return view.step(lambda x: F.interpolate(x, size=new, mode="nearest"), view.name(0))

    def take(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        turned = x.permute(0, 2, 3, 1).index_select(1, rows).index_select(2, columns)
        return turned.permute(0, 3, 1, 2)

    return view.step(take, view.name(0), *taken)


def _linear(view: NodeView, positions: list[_Positions], new: tuple[int, int]) -> Step:
    olds = view.shape()[2:]
    for corners in (False, True):
        ramps = [_ramp(old, size, "linear", corners) for old, size in zip(olds, new, strict=True)]
        near = (
            np.abs(ramp.numpy() - at.clip(0, old - 1)).max() < _NEAR
            for ramp, at, old in zip(ramps, positions, olds, strict=True)
        )
        if all(near):

            def interpolate(x: Tensor, corners: bool = corners) -> Tensor:
                return F.interpolate(x, size=new, mode="bilinear", align_corners=corners)

            return view.step(interpolate, view.name(0))
    return _by_matrices(view, positions, lambda part: [1 - part, part])


def _cubic(view: NodeView, positions: list[_Positions]) -> Step:
    a = view.number("cubic_coeff_a", -0.75)

    def weights(part: _Positions) -> list[_Positions]:
        # Keys, 1981: of the neighbours at distances 1 + part, part, 1 - part, 2 - part.
        inner = [((a + 2) * d - (a + 3)) * d * d + 1 for d in (part, 1 - part)]
        outer = [((a * d - 5 * a) * d + 8 * a) * d - 4 * a for d in (1 + part, 2 - part)]
        return [outer[0], *inner, outer[1]]

    return _by_matrices(view, positions, weights)


def _by_matrices(
    view: NodeView,
    positions: list[_Positions],
    weights: Callable[[_Positions], list[_Positions]],
) -> Step:
    """Return an interpolation that TFLite has not, as one matrix product an axis.

    Args:
        view: of the node.
        positions: in the input, of each place of an axis.
        weights: of the neighbours of a position, by its part after the point; as many before it as
            after it. What lies beyond the edge is the edge.
    """
    matrices = []
    for old, at in zip(view.shape()[2:], positions, strict=True):
        matrix = np.zeros((len(at), old), np.float64)
        exact = at.astype(np.float64)
        shares = weights(exact - np.floor(exact))
        for place, share in enumerate(shares, start=1 - len(shares) // 2):
            taken = (np.floor(exact).astype(np.int64) + place).clip(0, old - 1)
            np.add.at(matrix, (np.arange(len(at)), taken), share)
        matrices.append(torch.from_numpy(matrix.astype(np.float32)))

    # With the matrices as weights INT8 has the products, and the dynamic range as well.
    def interpolate(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        tall = F.linear(F.linear(x, columns).transpose(2, 3), rows)
        return tall.transpose(2, 3)

    return view.step(interpolate, view.name(0), *matrices)


def _ramp(old: int, new: int, mode: str, corners: bool | None = None) -> Tensor:
    """Return which position of the input PyTorch takes for each one of the result."""
    ramp = torch.arange(old, dtype=torch.float32).reshape(1, 1, old)
    corners = corners if mode == "linear" else None
    return F.interpolate(ramp, size=new, mode=mode, align_corners=corners).reshape(-1)


BUILDERS: dict[str, Builder] = {"Resize": _resize, "Upsample": _upsample}
