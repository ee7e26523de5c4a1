"""Forms that the lowering keeps channels last.

litert-torch knows how to turn some operators of PyTorch to channels last and puts a TRANSPOSE
round the others. Those are written here as channels last themselves: the permutations meet those
of the lowering and vanish.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["CHANNELS_LAST", "Pads", "bordered", "channels_last", "repeated", "zero_of"]

#: Where each axis of NCHW stands in NHWC.
CHANNELS_LAST = (0, 3, 1, 2)
#: Elements before and after, of each spatial axis.
Pads = tuple[tuple[int, int], ...]


def channels_last(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Run a function on NHWC, where the tensors outside are NCHW."""

    def turned(x: Tensor, *others: Any) -> Tensor:
        return function(x.permute(0, 2, 3, 1), *others).permute(0, 3, 1, 2)

    return turned


def zero_of(channels: int) -> Tensor:
    """Return zeros that ``bordered`` adds to a picture with so many channels."""
    return torch.zeros((1, 1, 1, channels))


def bordered(
    x: Tensor,
    zero: Tensor,
    pads: Pads,
    value: float = 0.0,
    *,
    channels: tuple[int, int] = (0, 0),
) -> Tensor:
    """Put a border of one value round the spatial axes of ``[N, C, L]`` or ``[N, C, H, W]``.

    Args:
        x: the tensor.
        zero: from ``zero_of``. The converter pulls a transposition over a PAD that follows a
            pool or a convolution, unless a sum stands between; it vanishes later.
        pads: of each spatial axis.
        value: of the border.
        channels: how many to put before and after the others.
    """
    spatial = tuple(n for pair in reversed(pads) for n in pair)
    if x.dim() != 4:
        return F.pad(x, (*spatial, *channels), value=value)
    turned = F.pad(x.permute(0, 2, 3, 1) + zero, (*channels, *spatial), value=value)
    return turned.permute(0, 3, 1, 2)


def repeated(x: Tensor, pads: Pads) -> Tensor:
    """Put a border round a picture ``[N, C, H, W]`` that repeats its edge.

    TFLite's mirror repeats the edge where the border is one wide, so it is put on ring by ring.
    """
    (top, bottom), (left, right) = pads
    for ring in range(max(top, bottom, left, right)):
        x = F.pad(x, [int(n > ring) for n in (left, right, top, bottom)], mode="replicate")
    return x
