"""BatchNormalization, InstanceNormalization, LayerNormalization, LpNormalization."""

from __future__ import annotations

import torch
from torch import Tensor

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


BUILDERS: dict[str, Builder] = {
    "BatchNormalization": _batch,
    "InstanceNormalization": _instance,
    "LayerNormalization": _layer,
    "LpNormalization": _lp,
}
