"""The map of the mask: a slim U-Net (Ronneberger et al. 2015) on 128x128 faces."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.blocks import BytesIn, Conv, double

__all__ = ["build"]

_WIDTHS = (12, 24, 40, 64)


class _Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        w1, w2, w3, w4 = _WIDTHS
        self.down1 = Conv(3, w1, 3, 2)  # 64
        self.down2 = nn.Sequential(Conv(w1, w2, 3, 2), Conv(w2, w2))  # 32
        self.down3 = nn.Sequential(Conv(w2, w3, 3, 2), Conv(w3, w3))  # 16
        self.down4 = nn.Sequential(Conv(w3, w4, 3, 2), Conv(w4, w4), Conv(w4, w4))  # 8
        self.up3 = Conv(w4 + w3, w3)
        self.up2 = Conv(w3 + w2, w2)
        self.up1 = Conv(w2 + w1, w1)
        self.out = nn.Conv2d(w1, 1, 3, padding=1)

    def logits(self, x: Tensor) -> Tensor:
        """Return ``[N, 1, 128, 128]`` before the sigmoid; the trainer's view."""
        x1 = self.down1(x)
        x2 = self.down2(x1)
        x3 = self.down3(x2)
        y = self.up3(torch.cat([double(self.down4(x3)), x3], 1))
        y = self.up2(torch.cat([double(y), x2], 1))
        y = self.up1(torch.cat([double(y), x1], 1))
        out: Tensor = self.out(double(y))
        return out

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.logits(x)).permute(0, 2, 3, 1)


def build() -> nn.Module:
    """Return the network with its initial values.

    It takes float32 ``[N, 128, 128, 3]`` BGR, ``(byte - 128) / 128``, and gives the probability
    ``[N, 128, 128, 1]`` that a pixel is covered by a mask.
    """
    return BytesIn(_Net())
