"""Pools, resizes, pads, reductions, and moves between space and channels."""

from __future__ import annotations

from collections.abc import Mapping

from export.onnx_writer.infer import Unwritable
from export.onnx_writer.site import Emitter, Site, same_padding
from export.onnx_writer.values import TO_FIRST, Value

__all__ = ["SPATIAL"]


def _pool(op: str) -> Emitter:
    def emit(site: Site) -> None:
        x = site.first(0)
        kernel = [site.option("filterHeight"), site.option("filterWidth")]
        strides = [site.option("strideH"), site.option("strideW")]
        if min(*kernel, *strides) < 1:
            raise Unwritable("has a stride or a size of 0")
        pads = [0, 0, 0, 0]
        if site.text("padding") == "SAME":
            rows, columns = (same_padding(x.shape[2 + i], kernel[i], strides[i]) for i in (0, 1))
            pads = [rows[0], columns[0], rows[1], columns[1]]
        # The default leaves padding out of an average, and so does TFLite.
        site.result(op, [x], channels_first=True, kernel_shape=kernel, strides=strides, pads=pads)

    return emit


def _resize(mode: str) -> Emitter:
    def emit(site: Site) -> None:
        x = site.first(0)
        size = site.numbers(1)
        if len(size) != 2 or min(size) < 1:
            raise Unwritable(f"resizes to {size}")
        where, rounding = _sampling(site, mode, x, size)
        site.result(
            "Resize",
            [x, None, None, site.whole([*x.shape[:2], *size])],
            channels_first=True,
            mode=mode,
            coordinate_transformation_mode=where,
            nearest_mode=rounding,
        )

    return emit


def _sampling(site: Site, mode: str, x: Value, size: list[int]) -> tuple[str, str]:
    """Return ONNX's names for where TFLite samples, and for how it rounds.

    TFLite's nearest neighbour takes ``floor(i * in / out)``, with half-pixel centres
    ``floor((i + 1/2) * in / out)``, and with aligned corners it rounds a half up. Where a side
    grows by a whole factor the first two are one, and the plainer is written.
    """
    whole = all(new % old == 0 for new, old in zip(size, x.shape[2:], strict=True))
    if site.option("alignCorners"):
        if site.option("halfPixelCenters"):
            raise Unwritable("aligned corners and half-pixel centres at once")
        return "align_corners", "round_prefer_ceil"
    if site.option("halfPixelCenters") and not (mode == "nearest" and whole):
        return "half_pixel", "round_prefer_ceil"
    return "asymmetric", "floor"


def _pad(site: Site) -> None:
    _write_pad(site, "constant", site.optional(2))


def _mirror_pad(site: Site) -> None:
    mode = "reflect"
    if site.text("mode", "REFLECT") != "REFLECT":
        # A picture mirrored with its edge: one pixel of that is the edge, and ONNX has no more.
        if max(site.numbers(1), default=0) > 1:
            raise Unwritable("SYMMETRIC by more than one pixel")
        mode = "edge"
    _write_pad(site, mode, None)


def _write_pad(site: Site, mode: str, filling: Value | None) -> None:
    x = site.input(0)
    pixels = site.numbers(1)
    if len(pixels) != 2 * x.rank or min(pixels, default=0) < 0:
        raise Unwritable(f"pads by {pixels}")
    order = TO_FIRST if x.channels_first else range(x.rank)
    pads = [pixels[2 * axis] for axis in order] + [pixels[2 * axis + 1] for axis in order]
    inputs: list[Value | None] = [x, site.whole(pads)]
    if mode == "constant":
        inputs.append(site.scalar(0.0) if filling is None else _number(site, filling))
    site.result("Pad", inputs, channels_first=x.channels_first, mode=mode)


def _number(site: Site, filling: Value) -> Value:
    if filling.data is None or filling.size != 1:
        raise Unwritable("pads with something that is no constant number")
    return site.scalar(float(filling.data.reshape(-1)[0]))


def _reduce(op: str) -> Emitter:
    def emit(site: Site) -> None:
        x = site.input(0)
        keep = site.option("keepDims")
        logical = {axis % x.rank if x.rank else 0 for axis in site.numbers(1)}
        left = [x.axis(axis) for axis in range(x.rank) if axis not in logical]
        if not keep and left != sorted(left):
            # What is left over would stand in another order.
            x = site.plain(0)
        axes = sorted(x.axis(axis) for axis in logical)
        first = x.channels_first and bool(keep)
        # Axes became an input with opset 13 for the sum and with 18 for the others.
        if op == "ReduceSum" or site.builder.opset >= 18:
            inputs: list[Value | None] = [x, site.whole(axes)]
            site.result(op, inputs, channels_first=first, keepdims=keep)
        else:
            site.result(op, [x], channels_first=first, keepdims=keep, axes=axes)

    return emit


def _space_to_depth(site: Site) -> None:
    block = site.option("blockSize")
    site.result("SpaceToDepth", [site.first(0)], channels_first=True, blocksize=block)


def _depth_to_space(site: Site) -> None:
    block = site.option("blockSize")
    site.result("DepthToSpace", [site.first(0)], channels_first=True, blocksize=block, mode="DCR")


SPATIAL: Mapping[str, Emitter] = {
    "AVERAGE_POOL_2D": _pool("AveragePool"),
    "DEPTH_TO_SPACE": _depth_to_space,
    "MAX_POOL_2D": _pool("MaxPool"),
    "MEAN": _reduce("ReduceMean"),
    "MIRROR_PAD": _mirror_pad,
    "PAD": _pad,
    "PADV2": _pad,
    "REDUCE_MAX": _reduce("ReduceMax"),
    "REDUCE_MIN": _reduce("ReduceMin"),
    "RESIZE_BILINEAR": _resize("linear"),
    "RESIZE_NEAREST_NEIGHBOR": _resize("nearest"),
    "SPACE_TO_DEPTH": _space_to_depth,
    "SUM": _reduce("ReduceSum"),
}
