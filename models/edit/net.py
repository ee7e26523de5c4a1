"""The editing network: paints what the mask covers, from the visible face and the map.

Two inputs and a dilated middle, as in Din et al. (IEEE Access 2020), at a thirtieth of the
arithmetic.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.blocks import BytesIn, Conv, Residual, double

__all__ = ["build"]

_WIDTHS = (16, 32, 64, 96)


class _Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        w1, w2, w3, w4 = _WIDTHS
        self.down1 = Conv(4, w1, 3, 2)  # 64
        self.down2 = nn.Sequential(Conv(w1, w2, 3, 2), Conv(w2, w2))  # 32
        self.down3 = nn.Sequential(Conv(w2, w3, 3, 2), Residual(w3))  # 16
        self.middle = nn.Sequential(
            Conv(w3, w4, 3, 2),  # 8
            Residual(w4),
            Residual(w4, dilation=2),
            Residual(w4),
        )
        self.up3 = nn.Sequential(Conv(w4 + w3, w3), Residual(w3))
        self.up2 = nn.Sequential(Conv(w3 + w2, w2), Conv(w2, w2))
        self.up1 = Conv(w2 + w1, 24)
        self.up0 = Conv(24, 16)
        self.out = nn.Conv2d(16, 3, 3, padding=1)

    def forward(self, image: Tensor, cover: Tensor) -> Tensor:
        x1 = self.down1(torch.cat([image, cover], 1))
        x2 = self.down2(x1)
        x3 = self.down3(x2)
        y = self.up3(torch.cat([double(self.middle(x3)), x3], 1))
        y = self.up2(torch.cat([double(y), x2], 1))
        y = self.up1(torch.cat([double(y), x1], 1))
        return torch.sigmoid(self.out(self.up0(double(y)))).permute(0, 2, 3, 1)


def build() -> nn.Module:
    """Return the network with its initial values.

    It takes float32 ``[N, 128, 128, 3]`` BGR with the covered pixels grey (byte 128) and the map
    ``[N, 128, 128, 1]`` (byte 255 covered, 0 visible), both ``(byte - 128) / 128``; it gives the
    painted picture ``[N, 128, 128, 3]`` BGR, 0..1.
    """
    return BytesIn(_Net())
