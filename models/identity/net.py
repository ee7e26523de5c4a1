"""Identity: a plain residual network to 128 numbers; dense 3x3 convolutions, no depthwise trunk.

Dense convolutions do more arithmetic a byte than depthwise ones: they train several times faster
on a CPU and lose less to memory in INT8 on a board.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.blocks import BytesIn, Conv, Residual

__all__ = ["build"]


class _Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            Conv(3, 16, 3, 2),  # 56
            Conv(16, 48, 3, 2),  # 28
            Residual(48),
            Conv(48, 96, 3, 2),  # 14
            Residual(96),
            Residual(96),
            Conv(96, 192, 3, 2),  # 7
            Residual(192),
            Conv(192, 320, 1),
        )
        # A learned weight for each place (MobileFaceNet's global depthwise convolution): the
        # middle of an aligned face says more than its rim.
        self.pool = nn.Conv2d(320, 320, 7, groups=320, bias=False)
        self.pool_norm = nn.BatchNorm2d(320)
        self.embed = nn.Linear(320, 128)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool_norm(self.pool(self.trunk(x)))
        embedding: Tensor = self.embed(torch.flatten(x, 1))
        return embedding


def build() -> nn.Module:
    """Return the network with its initial values.

    It takes float32 ``[N, 112, 112, 3]`` BGR, ``(byte - 128) / 128``, aligned by five points, and
    gives an embedding ``[N, 128]`` that is not normalised.
    """
    return BytesIn(_Net())
