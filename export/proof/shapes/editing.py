"""B2: the editing generator: picture and map of 128x128 to a picture, dilated convolutions."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from export.proof.shapes.blocks import LastToFirst, leaky, leaky_pair, relu_pair, up

__all__ = ["Editing"]


class Editing(nn.Module):
    """Down to 32x32, four convolutions with dilation 2, 4, 8, 16, and up again."""

    def __init__(self) -> None:
        super().__init__()
        self.first = LastToFirst()
        self.top = relu_pair(4, 64)
        self.middle = leaky_pair(64, 128)
        dilated: list[nn.Module] = []
        for into, dilation in ((128, 2), (256, 4), (256, 8), (256, 16)):
            convolution = nn.Conv2d(into, 256, 3, padding=dilation, dilation=dilation)
            dilated += [convolution, leaky(256)]
        self.bottom = nn.Sequential(*dilated)
        self.up = nn.ModuleList((up(256, 128), up(128, 64)))
        self.join = nn.ModuleList((leaky_pair(256, 128), leaky_pair(128, 64)))
        self.last = nn.Sequential(
            nn.Conv2d(64, 3, 3, padding=1), leaky(3), nn.Conv2d(3, 3, 1), nn.Tanh()
        )

    def forward(self, picture: Tensor, covered: Tensor) -> Tensor:
        """Return the edited picture, -1..1."""
        top = self.top(torch.cat([self.first(picture), self.first(covered)], 1))
        middle = self.middle(nn.functional.max_pool2d(top, 2))
        x = self.bottom(nn.functional.max_pool2d(middle, 2))
        for rise, join, skip in zip(self.up, self.join, (middle, top), strict=True):
            x = join(torch.cat([skip, rise(x)], 1))
        return self.last(x).permute(0, 2, 3, 1)
