"""Conv and ConvTranspose."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from export.importers.onnx.steps.layout import Pads, bordered, zero_of
from export.importers.onnx.steps.pad import zero_border
from export.importers.onnx.steps.window import Window, read_window
from export.importers.onnx.view import Builder, NodeView, Step

__all__ = ["BUILDERS"]

#: Of a kernel or a map that is made while reading.
_MOST_ELEMENTS = 1 << 26
#: From input, weight and bias to output.
_Convolution = Callable[[Tensor, Tensor, Tensor], Tensor]


def _conv(view: NodeView) -> Step:
    weight, spatial = _weight(view, (3, 4))
    window = read_window(view, view.shape()[2:], spatial)
    source, pads = view.name(0), window.pads
    border = zero_border(view)
    if border is not None and view.text("auto_pad", "NOTSET") == "NOTSET":
        source, outer = border
        pads = tuple((a + c, b + d) for (a, b), (c, d) in zip(outer, pads, strict=True))
    window = Window(window.kernel, window.strides, window.dilations, pads)
    # With a bias, be it zero, there is always a sum behind it: see ``bordered``.
    bias = view.constant(2) if view.has(2) else torch.zeros(weight.shape[0])
    operands = (source, weight, bias)
    convolve = _plain(window, view.integer("group", 1))
    if window.even:
        return Step(convolve, operands)

    def with_border(x: Tensor, weight: Tensor, bias: Tensor, zero: Tensor) -> Tensor:
        return convolve(bordered(x, zero, pads), weight, bias)

    return Step(with_border, (*operands, zero_of(view.shape()[1])))


def _plain(window: Window, groups: int) -> _Convolution:
    """Return a convolution that pads evenly, or, with uneven pads, not at all."""
    padding = window.before if window.even else (0,) * len(window.kernel)
    function = F.conv1d if len(window.kernel) == 1 else F.conv2d

    def convolve(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return function(x, weight, bias, window.strides, padding, window.dilations, groups)

    return convolve


def _weight(view: NodeView, ranks: tuple[int, ...]) -> tuple[Tensor, tuple[int, ...]]:
    """Return the weight and its spatial size."""
    weight = view.constant(1)
    if view.rank() not in ranks or weight.dim() != view.rank():
        raise view.refusal(
            f"has input {list(view.shape())} and weight {list(weight.shape)}; "
            f"{' or '.join(f'{rank - 2}-D' for rank in ranks)} is supported"
        )
    spatial = tuple(weight.shape[2:])
    if (view.integers("kernel_shape") or spatial) != spatial:
        raise view.refusal(f"has a weight {list(weight.shape)} that its kernel_shape denies")
    groups = view.integer("group", 1)
    if groups < 1 or any(n % groups for n in (view.shape()[1], weight.shape[0])):
        raise view.refusal(f"has {groups} groups")
    return weight, spatial


def _conv_transpose(view: NodeView) -> Step:
    weight, spatial = _weight(view, (4,))
    groups, sizes = view.integer("group", 1), view.shape()[2:]
    strides = view.integers("strides") or (1, 1)
    # Stride and dilation are checked here, the spread kernel's pads below.
    read_window(view, sizes, spatial)
    weight = _dilated(view, weight, view.integers("dilations") or (1, 1))
    if weight.shape[0] != view.shape()[1]:
        raise view.refusal(f"has input {list(view.shape())} and weight {list(weight.shape)}")
    extra = view.integers("output_padding") or (0, 0)
    window = _transposed_window(view, sizes, tuple(weight.shape[2:]), strides, extra)
    outputs = weight.shape[1] * groups
    bias = view.constant(2) if view.has(2) else torch.zeros(outputs)
    # Positions before and behind the full result that are wanted; negative ones are cut off.
    pads = tuple((-a, e - b) for (a, b), e in zip(window.pads, extra, strict=True))
    if groups > 1:
        return _grouped(view, weight, bias, window, pads, groups)
    if not any(extra) and window.even and _legal(window):

        def transpose(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
            return F.conv_transpose2d(x, weight, bias, strides, window.before)

        return view.step(transpose, view.name(0), weight, bias)

    def transpose_and_cut(x: Tensor, weight: Tensor, bias: Tensor, zero: Tensor) -> Tensor:
        return _fit(F.conv_transpose2d(x, weight, None, strides), zero, pads) + bias

    summand = bias.reshape(1, -1, 1, 1)
    return view.step(transpose_and_cut, view.name(0), weight, summand, zero_of(outputs))


def _dilated(view: NodeView, weight: Tensor, dilations: tuple[int, ...]) -> Tensor:
    """Spread the kernel out: TFLite's transposed convolution has no dilation."""
    rows, columns = ((n - 1) * d + 1 for n, d in zip(weight.shape[2:], dilations, strict=True))
    if math.prod((*weight.shape[:2], rows, columns)) > _MOST_ELEMENTS:
        raise view.refusal(f"spreads its kernel to {rows}x{columns}")
    spread = torch.zeros((*weight.shape[:2], rows, columns))
    spread[:, :, :: dilations[0], :: dilations[1]] = weight
    return spread


def _transposed_window(
    view: NodeView,
    sizes: tuple[int, ...],
    kernel: tuple[int, ...],
    strides: tuple[int, ...],
    extra: tuple[int, ...],
) -> Window:
    """Return the window with the pads as the operator's own document computes them."""
    wanted = view.integers("output_shape")
    mode = view.text("auto_pad", "NOTSET")
    if len(extra) != 2 or min(extra) < 0 or max(extra) > max(strides):
        raise view.refusal(f"has output_padding {list(extra)}")
    if wanted is None and mode in ("SAME_UPPER", "SAME_LOWER"):
        wanted = tuple(size * stride for size, stride in zip(sizes, strides, strict=True))
    if wanted is None:
        return Window(kernel, strides, (1, 1), read_window(view, sizes, (1, 1)).pads)
    if len(wanted) < 2:
        raise view.refusal(f"has output_shape {list(wanted)}")
    pads = []
    for size, stride, span, more, want in zip(
        sizes, strides, kernel, extra, wanted[-2:], strict=True
    ):
        total = max(stride * (size - 1) + more + span - want, 0)
        less = total // 2
        pads.append((less, total - less) if mode == "SAME_UPPER" else (total - less, less))
    return Window(kernel, strides, (1, 1), tuple(pads))


def _legal(window: Window) -> bool:
    """Tell whether TFLite has a transposed convolution with these pads: SAME, VALID, stride 1."""
    sizes = tuple(zip(window.kernel, window.strides, window.before, strict=True))
    same = all(kernel - stride == 2 * before for kernel, stride, before in sizes)
    return same or not any(window.before) or set(window.strides) == {1}


def _fit(x: Tensor, zero: Tensor, pads: Pads) -> Tensor:
    """Cut off where pads are negative, and put zeros where they are positive."""
    for axis, (before, after) in enumerate(pads, start=2):
        x = x.narrow(axis, max(-before, 0), x.shape[axis] + min(before, 0) + min(after, 0))
    grown = tuple((max(before, 0), max(after, 0)) for before, after in pads)
    return bordered(x, zero, grown) if any(map(any, grown)) else x


def _grouped(
    view: NodeView, weight: Tensor, bias: Tensor, window: Window, pads: Pads, groups: int
) -> Step:
    """Return a plain grouped convolution over the input with zeros between its elements.

    TFLite's transposed convolution has no groups, and one a group is slow where each channel is
    a group.
    """
    inputs, each, rows, columns = weight.shape
    kernel = weight.reshape(groups, inputs // groups, each, rows, columns).transpose(1, 2)
    kernel = kernel.reshape(groups * each, inputs // groups, rows, columns).flip((2, 3))
    stretched = [n * s for n, s in zip(view.shape()[2:], window.strides, strict=True)]
    if math.prod(stretched) > _MOST_ELEMENTS:
        raise view.refusal(f"makes a picture of {stretched[0]}x{stretched[1]}")
    at = [torch.arange(n) % s == 0 for n, s in zip(stretched, window.strides, strict=True)]
    mask = (at[0][:, None] & at[1][None, :]).to(torch.float32)[None, None]
    # The stretched input has zeros behind its last element already.
    border = tuple(
        (span - 1 + before, span - stride + after)
        for span, stride, (before, after) in zip(window.kernel, window.strides, pads, strict=True)
    )
    stride_1 = set(window.strides) == {1}

    def convolve(x: Tensor, weight: Tensor, bias: Tensor, mask: Tensor, zero: Tensor) -> Tensor:
        if not stride_1:
            x = F.interpolate(x, size=stretched, mode="nearest") * mask
        return F.conv2d(_fit(x, zero, border), weight, bias, groups=groups)

    zero = zero_of(inputs)
    return view.step(convolve, view.name(0), kernel.contiguous(), bias, mask, zero)


BUILDERS: dict[str, Builder] = {"Conv": _conv, "ConvTranspose": _conv_transpose}
