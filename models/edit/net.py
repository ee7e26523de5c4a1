"""The editing network: paints what the mask covers, from the visible face and the map.

Two inputs and a dilated middle, as in Din et al. (IEEE Access 2020), at a thirtieth of the
arithmetic. The faces are aligned, so two things are learned that a convolution cannot see: where
in the face a place lies, and what the whole of it looks like (skin, light, age).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.blocks import BytesIn, Conv, Residual, double

__all__ = ["build"]

_WIDTHS = (16, 32, 64, 96)


class _Place(nn.Module):
    """Add what each place of an aligned face has in common."""

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        self.map = nn.Parameter(torch.zeros(1, channels, side, side))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.map


class _Whole(nn.Module):
    """Let every place see every other through one dense layer, round a shortcut."""

    def __init__(self, channels: int, side: int, *, narrow: int, hidden: int) -> None:
        super().__init__()
        self.narrow = Conv(channels, narrow, 1)
        self.gather = nn.Linear(narrow * side * side, hidden)
        self.spread = nn.Linear(hidden, narrow * side * side)
        self.widen = nn.Conv2d(narrow, channels, 1)
        # It begins as a shortcut and nothing more.
        nn.init.zeros_(self.widen.weight)
        nn.init.zeros_(self.widen.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        narrow = self.narrow(x)
        # In the artefact's own order of channels, so that no TRANSPOSE is left in it.
        places = narrow.permute(0, 2, 3, 1)
        whole = F.relu6(self.gather(places.flatten(1)))
        spread = F.relu6(self.spread(whole)).reshape(places.shape).permute(0, 3, 1, 2)
        return F.relu6(x + self.widen(spread))


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
        self.whole = _Whole(w4, 8, narrow=32, hidden=256)
        self.place3 = _Place(w3, 16)
        self.place2 = _Place(w2, 32)
        self.up3 = nn.Sequential(Conv(w4 + w3, w3), Residual(w3))
        self.up2 = nn.Sequential(Conv(w3 + w2, w2), Conv(w2, w2))
        self.up1 = Conv(w2 + w1, 24)
        self.up0 = Conv(24, 16)
        self.out = nn.Conv2d(16, 3, 3, padding=1)

    def forward(self, image: Tensor, cover: Tensor) -> Tensor:
        x1 = self.down1(torch.cat([image, cover], 1))
        x2 = self.place2(self.down2(x1))
        x3 = self.place3(self.down3(x2))
        y = self.up3(torch.cat([double(self.whole(self.middle(x3))), x3], 1))
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
