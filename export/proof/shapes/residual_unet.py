"""A2: the reconstruction U-Net of strv-ml-mask2face, 256x256x3, 53.6 M parameters."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from export.proof.shapes.blocks import LastToFirst, up

__all__ = ["ResidualUnet"]

_FILTERS, _KERNELS = (64, 128, 128, 256, 256, 512), (7, 7, 7, 3, 3, 3)


def _conv(into: int, width: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(into, width, kernel, stride, padding=kernel // 2)


class _Residual(nn.Module):
    """Two convolutions of ``into``, added to ``x``, then ReLU."""

    def __init__(self, into: int, width: int, kernel: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _conv(into, width, kernel), nn.ReLU(), _conv(width, width, kernel)
        )

    def forward(self, x: Tensor, into: Tensor) -> Tensor:
        """Return the sum, without its negative part."""
        return torch.relu(self.body(into) + x)


class ResidualUnet(nn.Module):
    """Six levels down and up, kernels 7 and 3, no batch norm; each skip is read twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(LastToFirst(), _conv(3, _FILTERS[0], _KERNELS[0]))
        levels = list(zip(_FILTERS, _KERNELS, strict=True))
        into = (_FILTERS[0], *_FILTERS[:-1])
        self.down = nn.ModuleList(
            _conv(i, w, k, stride=2) for i, (w, k) in zip(into, levels, strict=True)
        )
        self.inner = nn.ModuleList(_Residual(w, w, k) for w, k in levels)
        self.bottom = nn.Sequential(_conv(_FILTERS[-1], _FILTERS[-1], _KERNELS[-1]), nn.ReLU())
        # A level up is as wide as the one it comes from and hands on the next one's width.
        following = [*levels[-2::-1], levels[0]]
        self.outer = nn.ModuleList(
            _Residual(2 * w, w, k) for w, (_, k) in zip(reversed(_FILTERS), following, strict=True)
        )
        self.up = nn.ModuleList(
            nn.Sequential(up(2 * w, n, k), _conv(n, n, k), nn.ReLU())
            for w, (n, k) in zip(reversed(_FILTERS), following, strict=True)
        )
        self.last = nn.Sequential(
            _conv(2 * _FILTERS[0], _FILTERS[0], _KERNELS[0]),
            nn.ReLU(),
            _conv(_FILTERS[0], 3, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the picture without its mask, 0..1."""
        first = x = self.first(x)
        skips = []
        for fall, inner in zip(self.down, self.inner, strict=True):
            x = fall(x)
            skips.append(x)
            x = inner(x, x)
        x = self.bottom(x)
        for outer, rise in zip(self.outer, self.up, strict=True):
            skip = skips.pop()
            x = outer(x, torch.cat([x, skip], 1))
            x = rise(torch.cat([x, skip], 1))
        return self.last(torch.cat([first, x], 1)).permute(0, 2, 3, 1)
