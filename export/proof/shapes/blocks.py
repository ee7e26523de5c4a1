"""What several of the older networks are built of."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

__all__ = ["LastToFirst", "bn_relu6", "leaky_pair", "mobilenet_v2", "relu_pair", "up"]


class LastToFirst(nn.Module):
    """Turn ``[N, H, W, C]`` into ``[N, C, H, W]``."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the picture, channels first."""
        return x.permute(0, 3, 1, 2)


def relu_pair(into: int, width: int) -> nn.Sequential:
    """Two 3x3 convolutions with ReLU."""
    layers: list[nn.Module] = []
    for channels in (into, width):
        layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers)


def leaky(channels: int, slope: float = 0.3) -> nn.Sequential:
    """LeakyReLU, then batch norm; the slope and the batch norm's epsilon are Keras's defaults."""
    return nn.Sequential(nn.LeakyReLU(slope), nn.BatchNorm2d(channels, eps=1e-3))


def leaky_pair(into: int, width: int) -> nn.Sequential:
    """Two 3x3 convolutions, each with LeakyReLU and batch norm."""
    layers: list[nn.Module] = []
    for channels in (into, width):
        layers += [nn.Conv2d(channels, width, 3, padding=1), leaky(width)]
    return nn.Sequential(*layers)


def up(into: int, width: int, kernel: int = 3) -> nn.ConvTranspose2d:
    """Double the sides with a transposed convolution."""
    return nn.ConvTranspose2d(into, width, kernel, 2, padding=kernel // 2, output_padding=1)


def bn_relu6(into: int, width: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Convolution without bias, batch norm, ReLU6."""
    return nn.Sequential(
        nn.Conv2d(into, width, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU6(),
    )


class _Inverted(nn.Module):
    """MobileNetV2's block: widen, filter each channel, narrow; added to its input if it fits."""

    def __init__(self, into: int, width: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = into * expansion
        widen = [bn_relu6(into, inner, 1)] if expansion > 1 else []
        self.body = nn.Sequential(
            *widen,
            bn_relu6(inner, inner, 3, stride, groups=inner),
            nn.Conv2d(inner, width, 1, bias=False),
            nn.BatchNorm2d(width),
        )
        self.adds = stride == 1 and into == width

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        return x + self.body(x) if self.adds else self.body(x)


def mobilenet_v2() -> nn.Sequential:
    """MobileNetV2 up to its 1280 channels (Sandler et al., 2018, table 2); sides go down by 32."""
    plan = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
            (6, 160, 3, 2), (6, 320, 1, 1))  # fmt: skip
    widths, strides, expansions = [32], [], []
    for expansion, width, repeats, stride in plan:
        for turn in range(repeats):
            widths.append(width)
            strides.append(stride if turn == 0 else 1)
            expansions.append(expansion)
    blocks = [
        _Inverted(into, width, stride, expansion)
        for (into, width), stride, expansion in zip(
            pairwise(widths), strides, expansions, strict=True
        )
    ]
    return nn.Sequential(bn_relu6(3, 32, 3, 2), *blocks, bn_relu6(320, 1280, 1))
