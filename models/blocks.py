"""Building blocks that stay cheap in INT8 on small boards.

ReLU6 only (no PReLU, SiLU or hard-swish: they split the delegate), batch norm that folds into
its convolution, and strided convolutions padded as TFLite's SAME pads, so that no PAD operator
is left in the artefact.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["BytesIn", "Conv", "MobileNetV2", "Residual", "double"]


class Conv(nn.Module):
    """Convolution, batch norm and (unless ``act`` is false) ReLU6.

    Args:
        cin, cout: channels.
        kernel, stride, groups, dilation: of the convolution; padding is TFLite's SAME.
    """

    def __init__(
        self,
        cin: int,
        cout: int,
        kernel: int = 3,
        stride: int = 1,
        *,
        groups: int = 1,
        dilation: int = 1,
        act: bool = True,
    ) -> None:
        super().__init__()
        # SAME at stride 2 on an even side pads one pixel, right and below only.
        self._uneven = stride == 2 and kernel == 3
        padding = 0 if self._uneven else dilation * (kernel // 2)
        self.conv = nn.Conv2d(
            cin, cout, kernel, stride, padding, dilation=dilation, groups=groups, bias=False
        )
        self.norm = nn.BatchNorm2d(cout)
        self._act = act

    def forward(self, x: Tensor) -> Tensor:
        """Run the block."""
        if self._uneven:
            x = F.pad(x, (0, 1, 0, 1))
        x = self.norm(self.conv(x))
        return F.relu6(x) if self._act else x


class Residual(nn.Module):
    """Two 3x3 convolutions round a shortcut (He et al. 2016), ReLU6 after the sum."""

    def __init__(self, channels: int, *, dilation: int = 1) -> None:
        super().__init__()
        self.first = Conv(channels, channels, dilation=dilation)
        self.second = Conv(channels, channels, dilation=dilation, act=False)

    def forward(self, x: Tensor) -> Tensor:
        """Run the block."""
        return F.relu6(x + self.second(self.first(x)))


class _InvertedResidual(nn.Module):
    """MobileNetV2's block: widen, depthwise 3x3, narrow without ReLU."""

    def __init__(self, cin: int, cout: int, stride: int, expand: int) -> None:
        super().__init__()
        wide = cin * expand
        layers: list[nn.Module] = [] if expand == 1 else [Conv(cin, wide, 1)]
        layers += [Conv(wide, wide, 3, stride, groups=wide), Conv(wide, cout, 1, act=False)]
        self.body = nn.Sequential(*layers)
        self._shortcut = stride == 1 and cin == cout

    def forward(self, x: Tensor) -> Tensor:
        """Run the block."""
        y: Tensor = self.body(x)
        return x + y if self._shortcut else y


class MobileNetV2(nn.Module):
    """A MobileNetV2 (Sandler et al. 2018) of any depth, with a classifier.

    Args:
        stages: (expansion, channels, repeats, stride of the first) after the stem.
        stem: channels of the first convolution, which halves the picture.
        head: channels before the classifier.
        classes: number of logits.
    """

    def __init__(
        self, stages: tuple[tuple[int, int, int, int], ...], *, stem: int, head: int, classes: int
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [Conv(3, stem, 3, 2)]
        channels = stem
        for expand, cout, repeats, stride in stages:
            for i in range(repeats):
                layers.append(_InvertedResidual(channels, cout, stride if i == 0 else 1, expand))
                channels = cout
        layers.append(Conv(channels, head, 1))
        self.features = nn.Sequential(*layers)
        self.dropout = nn.Dropout(0.2)
        self.classify = nn.Linear(head, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits ``[N, classes]``."""
        x = self.features(x)
        # This form of the mean over the picture leaves no TRANSPOSE in the artefact.
        x = torch.flatten(F.adaptive_avg_pool2d(x, 1), 1)
        logits: Tensor = self.classify(self.dropout(x))
        return logits


class BytesIn(nn.Module):
    """Run a channels-first network on channels-last pictures, as the runtime hands them over."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, *pictures: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Run the block."""
        result: Tensor | tuple[Tensor, ...] = self.net(*(p.permute(0, 3, 1, 2) for p in pictures))
        return result


def double(x: Tensor) -> Tensor:
    """Show each pixel twice in either direction."""
    return F.interpolate(x, scale_factor=2.0, mode="nearest")
