"""Detection: boxes and five points on three grids (strides 8, 16, 32), one guess a cell."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.blocks import BytesIn, Conv, Residual, double

__all__ = ["STRIDES", "build"]

STRIDES = (8, 16, 32)
_WIDTH = 48


class _Head(nn.Module):
    """Score, box (dx, dy, log w, log h) and ten point offsets of each cell, in strides."""

    def __init__(self) -> None:
        super().__init__()
        self.shared = Conv(_WIDTH, _WIDTH)
        self.score = nn.Conv2d(_WIDTH, 1, 1)
        self.box = nn.Conv2d(_WIDTH, 4, 1)
        self.points = nn.Conv2d(_WIDTH, 10, 1)
        nn.init.constant_(self.score.bias, -4.6)  # prior 1 % (Lin et al. 2017, focal loss)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = self.shared(x)
        return _rows(self.score(x)), _rows(self.box(x)), _rows(self.points(x))


def _rows(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1).reshape(x.shape[0], -1, x.shape[1])


class _Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(Conv(3, 16, 3, 2), Conv(16, 24, 3, 2))
        self.grid8 = nn.Sequential(Conv(24, 48, 3, 2), Residual(48))
        self.grid16 = nn.Sequential(Conv(48, 64, 3, 2), Residual(64))
        self.grid32 = nn.Sequential(Conv(64, 96, 3, 2), Residual(96), Residual(96))
        self.lateral8 = Conv(48, _WIDTH, 1)
        self.lateral16 = Conv(64, _WIDTH, 1)
        self.lateral32 = Conv(96, _WIDTH, 1)
        self.heads = nn.ModuleList(_Head() for _ in STRIDES)

    def logits(self, x: Tensor) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Return (score logit, box, points) for each stride; the trainer's view."""
        x8 = self.grid8(self.stem(x))
        x16 = self.grid16(x8)
        y32 = self.lateral32(self.grid32(x16))
        y16 = self.lateral16(x16) + double(y32)
        y8 = self.lateral8(x8) + double(y16)
        return [head(y) for head, y in zip(self.heads, (y8, y16, y32), strict=True)]

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        flat: list[Tensor] = []
        for score, box, points in self.logits(x):
            flat += [torch.sigmoid(score), box, points]
        return tuple(flat)


def build() -> nn.Module:
    """Return the network with its initial values.

    It takes float32 ``[N, 320, 320, 3]`` BGR, ``(byte - 128) / 128``, and gives for each stride
    probabilities ``[N, C, 1]``, boxes ``[N, C, 4]`` and points ``[N, C, 10]``.
    """
    return BytesIn(_Net())
