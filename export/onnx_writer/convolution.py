"""Convolutions and matrix products."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from export.onnx_writer.infer import Unwritable
from export.onnx_writer.site import Emitter, Site, same_padding
from export.onnx_writer.values import Value

__all__ = ["CONVOLUTION", "EXPLICIT_PADS"]

#: Option that the folding of dilated convolutions writes: pixels above, left, below, right.
EXPLICIT_PADS = "explicitPads"


def _conv(site: Site) -> None:
    weight = site.array(1)
    x = site.first(0)
    _expect(weight.ndim == 4 and weight.shape[3] > 0, "has no weight [out, h, w, in]")
    groups = x.shape[1] // weight.shape[3]
    _convolve(site, x, weight.transpose(0, 3, 1, 2), groups)


def _depthwise(site: Site) -> None:
    weight = site.array(1)
    x = site.first(0)
    _expect(weight.ndim == 4 and weight.shape[0] == 1, "has no weight [1, h, w, out]")
    _convolve(site, x, weight.transpose(3, 0, 1, 2), x.shape[1])


def _convolve(site: Site, x: Value, weight: NDArray[np.float32], groups: int) -> None:
    """Write a Conv; weight ``[out, in / groups, height, width]``."""
    strides = [site.option("strideH", 1), site.option("strideW", 1)]
    dilations = [site.option("dilationHFactor", 1), site.option("dilationWFactor", 1)]
    kernel = list(weight.shape[2:])
    _expect(min(*strides, *dilations, *kernel, groups) > 0, "has a stride or a size of 0")
    _expect(
        x.shape[1] == weight.shape[1] * groups and weight.shape[0] % groups == 0,
        f"has {x.shape[1]} channels and weights of {list(weight.shape)}",
    )
    site.result(
        "Conv",
        [x, _weight(site, weight), _bias(site, 2, weight.shape[0])],
        channels_first=True,
        strides=strides,
        dilations=dilations,
        kernel_shape=kernel,
        group=groups,
        pads=_pads(site, x, kernel, strides, dilations),
    )


def _pads(
    site: Site, x: Value, kernel: list[int], strides: list[int], dilations: list[int]
) -> list[int]:
    given = site.node.options.get(EXPLICIT_PADS)
    if isinstance(given, tuple):
        return list(given)
    if site.text("padding") != "SAME":
        return [0, 0, 0, 0]
    sides = [same_padding(x.shape[2 + i], kernel[i], strides[i], dilations[i]) for i in (0, 1)]
    return [sides[0][0], sides[1][0], sides[0][1], sides[1][1]]


def _transpose_conv(site: Site) -> None:
    """Write a ConvTranspose whose pads are what TFLite's output size leaves over."""
    weight = site.array(1)
    x = site.first(2)
    wanted = site.numbers(0)
    strides = [site.option("strideH", 1), site.option("strideW", 1)]
    _expect(weight.ndim == 4 and len(wanted) == 4 and min(strides) > 0, "has a size of 0")
    _expect(x.shape[1] == weight.shape[3], f"has {x.shape[1]} channels")
    kernel = list(weight.shape[1:3])
    full = [(x.shape[2 + i] - 1) * strides[i] + kernel[i] for i in (0, 1)]
    over = [max(0, full[i] - wanted[1 + i]) for i in (0, 1)]
    if site.text("padding") != "SAME" and any(over):
        raise Unwritable(f"gives {wanted[1:3]} pixels without padding")
    before = [pixels // 2 for pixels in over]
    site.result(
        "ConvTranspose",
        [x, _weight(site, weight.transpose(3, 0, 1, 2)), _bias(site, 3, weight.shape[0])],
        channels_first=True,
        strides=strides,
        kernel_shape=kernel,
        pads=before + [over[i] - before[i] for i in (0, 1)],
        output_padding=[max(0, wanted[1 + i] - full[i]) for i in (0, 1)],
    )


def _fully_connected(site: Site) -> None:
    """Write a Gemm; TFLite flattens whatever stands before the last axis of the weight."""
    if site.text("weightsFormat", "DEFAULT") != "DEFAULT":
        raise Unwritable(f"weights in the format {site.text('weightsFormat')}")
    weight = site.plain(1)
    _expect(weight.rank == 2 and weight.shape[1] > 0, "has no weight [out, in]")
    given = site.input(0)
    # One pixel or one channel: the numbers stand in the same order either way.
    x = given if given.same_order else site.plain(0)
    rows = math.prod(given.shape) // weight.shape[1]
    flat = [rows, weight.shape[1]]
    if list(x.shape) != flat:
        x = site.emit("Reshape", [x, site.whole(flat)])
    inputs = [x, weight, _bias(site, 2, weight.shape[0])]
    if not site.option("keepNumDims") or given.rank == 2:
        site.result("Gemm", inputs, transB=1)
        return
    y = site.emit("Gemm", inputs, transB=1)
    if site.text("fusedActivationFunction", "NONE") == "NONE":
        site.builder.holds(y, site.name)
    site.result("Reshape", [y, site.whole([*given.logical[:-1], weight.shape[0]])])


def _matrix_product(site: Site) -> None:
    sides = []
    for place, key in enumerate(("adjX", "adjY")):
        side = site.plain(place)
        if site.option(key):
            order = [*range(side.rank - 2), side.rank - 1, side.rank - 2]
            side = site.emit("Transpose", [side], perm=order)
        sides.append(side)
    site.result("MatMul", sides)


def _weight(site: Site, weight: NDArray[np.float32]) -> Value:
    return site.builder.constant(np.ascontiguousarray(weight), f"{site.input(1).name}/onnx")


def _bias(site: Site, place: int, channels: int) -> Value | None:
    bias = site.optional(place)
    _expect(bias is None or bias.shape == (channels,), f"has no bias of {channels} channels")
    return bias


def _expect(holds: bool, problem: str) -> None:
    if not holds:
        raise Unwritable(problem)


CONVOLUTION: Mapping[str, Emitter] = {
    "BATCH_MATMUL": _matrix_product,
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _fully_connected,
    "TRANSPOSE_CONV": _transpose_conv,
}
