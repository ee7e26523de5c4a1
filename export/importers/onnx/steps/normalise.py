"""Normalisation by what was seen in training, or by the tensor itself."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from export.importers.onnx.steps.reduce import mean
from export.importers.onnx.view import Builder, NodeView, Step

__all__ = ["BUILDERS"]

#: A vector shorter than this has no direction.
_SHORTEST = 1e-12


def _batch(view: NodeView) -> Step:
    """Return a product and a sum, which the converter folds into a convolution before them."""
    if view.integer("training_mode", 0):
        raise view.refusal("is in training mode", hint="export the network in eval mode")
    scale, shift, mean, variance = (view.constant(i).double() for i in range(1, 5))
    gain = scale / torch.sqrt(variance + view.number("epsilon", 1e-5))
    shape = (1, -1, *(1,) * (view.rank() - 2))
    if gain.dim() != 1 or view.rank() < 2 or gain.shape[0] not in (1, view.shape()[1]):
        raise view.refusal(f"has {list(gain.shape)} channels for {list(view.shape())}")
    factor = gain.float().reshape(shape)
    summand = (shift - mean * gain).float().reshape(shape)
    return view.step(lambda x, factor, summand: x * factor + summand, view.name(0), factor, summand)


def _instance(view: NodeView) -> Step:
    shape = (1, -1, *(1,) * (view.rank() - 2))
    if view.rank() < 3:
        raise view.refusal(f"has input {list(view.shape())}")
    return _centred(
        view,
        tuple(range(2, view.rank())),
        view.constant(1).reshape(shape),
        view.constant(2).reshape(shape),
    )


def _layer(view: NodeView) -> Step:
    axes = tuple(range(view.axis(-1), view.rank()))
    gain = view.constant(1)
    shift = view.constant(2) if view.has(2) else torch.zeros(())
    shape = (1,) * (view.rank() - gain.dim())
    return _centred(
        view,
        axes,
        gain.reshape((*shape, *gain.shape)),
        shift.reshape(((1,) * (view.rank() - shift.dim())) + tuple(shift.shape)),
    )


def _centred(view: NodeView, axes: tuple[int, ...], gain: Tensor, shift: Tensor) -> Step:
    """Subtract the mean over these axes and divide by the deviation.

    Spelled out: the lowering of PyTorch's own norms puts reshapes round every part.
    """
    epsilon = view.number("epsilon", 1e-5)

    def normalise(x: Tensor, gain: Tensor, shift: Tensor) -> Tensor:
        centred = x - x.mean(axes, keepdim=True)
        variance = (centred * centred).mean(axes, keepdim=True)
        return centred * torch.rsqrt(variance + epsilon) * gain + shift

    return view.step(normalise, view.name(0), gain, shift)


def _lp(view: NodeView) -> Step:
    axis, order = view.axis(-1), view.integer("p", 2)
    if order not in (1, 2):
        raise view.refusal(f"has p {order}")

    def normalise(x: Tensor) -> Tensor:
        if order == 1:
            length = x.abs().sum(axis, keepdim=True)
        else:
            length = (x * x).sum(axis, keepdim=True).sqrt()
        return x / length.clamp(min=_SHORTEST)

    return view.step(normalise)


def _group(view: NodeView) -> Step:
    groups, epsilon = view.integer("num_groups", 0), view.number("epsilon", 1e-5)
    shape = view.shape()
    gain, shift = view.constant(1), view.constant(2)
    if len(shape) != 4 or groups < 1 or shape[1] % groups:
        raise view.refusal(f"has {groups} groups for {list(shape)}")
    if gain.numel() == groups:
        # Before version 21 there was one a group.
        gain, shift = (t.repeat_interleave(shape[1] // groups) for t in (gain, shift))
    each, channels = torch.ones((1, 1, shape[1] // groups)), (shape[0], shape[1], 1, 1)

    def share(x: Tensor, each: Tensor) -> Tensor:
        rows = mean(x, (2, 3)).reshape(shape[0], groups, -1).mean(2, keepdim=True)
        return (rows * each).reshape(channels)

    def normalise(x: Tensor, each: Tensor, gain: Tensor, shift: Tensor) -> Tensor:
        centred = x - share(x, each)
        return centred * torch.rsqrt(share(centred * centred, each) + epsilon) * gain + shift

    return view.step(
        normalise, view.name(0), each, gain.reshape(1, -1, 1, 1), shift.reshape(1, -1, 1, 1)
    )


def _local_response(view: NodeView) -> Step:
    """Return LRN (Krizhevsky et al., 2012); the sum over neighbours is a convolution of 1x1."""
    size, exponent = view.integer("size", 0), view.number("beta", 0.75)
    scale, bias = view.number("alpha", 1e-4) / max(size, 1), view.number("bias", 1.0)
    if view.rank() != 4 or size < 1 or bias <= 0:
        raise view.refusal(f"has input {list(view.shape())}, size {size} and bias {bias}")
    channel = torch.arange(view.shape()[1])
    apart = channel[None, :] - channel[:, None]
    near = (apart >= -((size - 1) // 2)) & (apart <= size // 2)
    weight = (near * scale).float()[:, :, None, None]

    def normalise(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return x * torch.pow(F.conv2d(x * x, weight, bias), -exponent)

    return view.step(normalise, view.name(0), weight, torch.full((len(channel),), bias))


BUILDERS: dict[str, Builder] = {
    "BatchNormalization": _batch,
    "InstanceNormalization": _instance,
    "LayerNormalization": _layer,
    "LpNormalization": _lp,
    "GroupNormalization": _group,
    "LRN": _local_response,
}
