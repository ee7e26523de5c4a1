"""C2: Inception-ResNet-v1 of facenet-pytorch, 160x160x3 to 512 numbers of length 1."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from export.proof.shapes.blocks import LastToFirst

__all__ = ["InceptionResnet"]

_Kernel = int | tuple[int, int]


def _conv(
    into: int, width: int, kernel: _Kernel, stride: int = 1, padding: _Kernel = 0
) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(into, width, kernel, stride, padding, bias=False),
        nn.BatchNorm2d(width, eps=1e-3),
        nn.ReLU(),
    )


class _Residual(nn.Module):
    """Branches, joined by a 1x1 convolution, scaled and added to their input."""

    def __init__(
        self, width: int, branches: list[nn.Module], joined: int, scale: float, *, relu: bool = True
    ) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)
        self.join = nn.Conv2d(joined, width, 1)
        self.scale, self.relu = scale, relu

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        joined = self.join(torch.cat([branch(x) for branch in self.branches], 1))
        out = joined * self.scale + x
        return torch.relu(out) if self.relu else out


class _Fork(nn.Module):
    """Branches and a max-pool, side by side; halves the sides."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList([*branches, nn.MaxPool2d(3, 2)])

    def forward(self, x: Tensor) -> Tensor:
        """Return all branches' channels."""
        return torch.cat([branch(x) for branch in self.branches], 1)


def _block35() -> _Residual:
    branches = [
        _conv(256, 32, 1),
        nn.Sequential(_conv(256, 32, 1), _conv(32, 32, 3, padding=1)),
        nn.Sequential(_conv(256, 32, 1), _conv(32, 32, 3, padding=1), _conv(32, 32, 3, padding=1)),
    ]
    return _Residual(256, branches, 96, 0.17)


def _wide(into: int, width: int, side: int, count: int, scale: float, *, relu: bool) -> _Residual:
    """Block17 and Block8: one branch of 1x1, one of 1x1, 1xN and Nx1."""
    half = side // 2
    inner = nn.Sequential(
        _conv(into, width, 1),
        _conv(width, width, (1, side), padding=(0, half)),
        _conv(width, width, (side, 1), padding=(half, 0)),
    )
    return _Residual(into, [_conv(into, width, 1), inner], count * width, scale, relu=relu)


class InceptionResnet(nn.Module):
    """Stem, 5 x Block35, Mixed6a, 10 x Block17, Mixed7a, 6 x Block8, 512 numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            LastToFirst(),
            _conv(3, 32, 3, 2),
            _conv(32, 32, 3),
            _conv(32, 64, 3, padding=1),
            nn.MaxPool2d(3, 2),
            _conv(64, 80, 1),
            _conv(80, 192, 3),
            _conv(192, 256, 3, 2),
            *(_block35() for _ in range(5)),
            _Fork(
                _conv(256, 384, 3, 2),
                nn.Sequential(
                    _conv(256, 192, 1), _conv(192, 192, 3, padding=1), _conv(192, 256, 3, 2)
                ),
            ),
            *(_wide(896, 128, 7, 2, 0.10, relu=True) for _ in range(10)),
            _Fork(
                nn.Sequential(_conv(896, 256, 1), _conv(256, 384, 3, 2)),
                nn.Sequential(_conv(896, 256, 1), _conv(256, 256, 3, 2)),
                nn.Sequential(
                    _conv(896, 256, 1), _conv(256, 256, 3, padding=1), _conv(256, 256, 3, 2)
                ),
            ),
            *(_wide(1792, 192, 3, 2, 0.20, relu=True) for _ in range(5)),
            _wide(1792, 192, 3, 2, 1.0, relu=False),
        )
        self.embed = nn.Linear(1792, 512, bias=False)
        self.norm = nn.BatchNorm1d(512, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        """Return the embedding, ``[N, 512]`` of length 1."""
        pooled = nn.functional.adaptive_avg_pool2d(self.body(x), 1).flatten(1)
        return nn.functional.normalize(self.norm(self.embed(pooled)), dim=1)
