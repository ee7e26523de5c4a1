"""B1: the map U-Net, 128x128x1 to 128x128x1, 64 to 1024 channels."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from export.proof.shapes.blocks import LastToFirst, leaky_pair, relu_pair, up

__all__ = ["MapUnet"]


class MapUnet(nn.Module):
    """Two 3x3 convolutions a level; no batch norm at the top; transposed convolutions up.

    Dropout takes no part in inference and is left out.
    """

    def __init__(self) -> None:
        super().__init__()
        self.first = LastToFirst()
        self.top = relu_pair(1, 64)
        self.down = nn.ModuleList(leaky_pair(w // 2, w) for w in (128, 256, 512, 1024))
        self.up = nn.ModuleList(up(2 * w, w) for w in (512, 256, 128, 64))
        # The last level has no pair of its own: its output goes on to the tanh layers.
        self.join = nn.ModuleList(leaky_pair(2 * w, w) for w in (512, 256, 128))
        tanh: list[nn.Module] = []
        for into, width in ((128, 64), (64, 64), (64, 2)):
            tanh += [nn.Conv2d(into, width, 3, padding=1), nn.Tanh()]
        self.last = nn.Sequential(*tanh, nn.Conv2d(2, 1, 1), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        """Return the map, 0..1."""
        x = self.top(self.first(x))
        skips = [x]
        for level in self.down:
            x = level(nn.functional.max_pool2d(x, 2))
            skips.append(x)
        skips.pop()
        for i, rise in enumerate(self.up):
            x = torch.cat([skips.pop(), rise(x)], 1)
            if i < len(self.join):
                x = self.join[i](x)
        return self.last(x).permute(0, 2, 3, 1)
