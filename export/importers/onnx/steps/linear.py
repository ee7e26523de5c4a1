"""MatMul and Gemm."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from export.importers.onnx.view import Builder, NodeView, Step

__all__ = ["BUILDERS"]


def _matmul(view: NodeView) -> Step:
    weight = view.known(1)
    if weight is None or weight.dim() != 2 or view.known(0) is not None or view.rank() < 2:
        return view.step(torch.matmul)
    return _linear(view, weight.t(), None)


def _gemm(view: NodeView) -> Step:
    alpha, beta = view.number("alpha", 1.0), view.number("beta", 1.0)
    turn_a, turn_b = view.integer("transA", 0), view.integer("transB", 0)
    if view.rank() != 2 or view.rank(1) != 2:
        raise view.refusal(f"multiplies {list(view.shape())} and {list(view.shape(1))}")
    weight, summand = view.known(1), view.known(2)
    columns = view.shape(1)[0 if turn_b else 1]
    plain = not view.has(2) or (summand is not None and summand.numel() in (1, columns))
    if weight is not None and plain and not turn_a:
        bias = None if summand is None else (summand.reshape(-1) * beta).expand(columns)
        return _linear(view, (weight if turn_b else weight.t()) * alpha, bias)

    def general(a: Tensor, b: Tensor, *c: Tensor) -> Tensor:
        product = torch.matmul(a.t() if turn_a else a, b.t() if turn_b else b) * alpha
        return product + c[0] * beta if c else product

    return view.step(general)


def _linear(view: NodeView, weight: Tensor, bias: Tensor | None) -> Step:
    """Return a fully connected layer.

    Args:
        view: of the node; its first input goes in.
        weight: ``[outputs, inputs]``.
        bias: ``[outputs]``.
    """
    bias = torch.zeros(weight.shape[0]) if bias is None else bias.contiguous()
    picture = _flattened_picture(view)
    if picture is None:
        return view.step(F.linear, view.name(0), weight.contiguous(), bias)
    # The weights are put into the order that the numbers lie in, instead of the numbers.
    source, (channels, height, width) = picture
    turned = weight.reshape(-1, channels, height, width).permute(0, 2, 3, 1)

    def connect(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return F.linear(x.permute(0, 2, 3, 1).reshape(1, -1), weight, bias)

    return view.step(connect, source, turned.reshape(weight.shape).contiguous(), bias)


def _flattened_picture(view: NodeView) -> tuple[str, tuple[int, int, int]] | None:
    """Return the picture, and its size, that a node reads as one row of numbers."""
    flat = view.maker("Flatten") or view.maker("Reshape")
    if flat is None or flat.rank() != 4 or flat.shape()[0] != 1:
        return None
    _, channels, height, width = flat.shape()
    if view.shape() != (1, channels * height * width) or math.prod((height, width)) == 1:
        return None
    return flat.name(0), (channels, height, width)


BUILDERS: dict[str, Builder] = {"MatMul": _matmul, "Gemm": _gemm}
