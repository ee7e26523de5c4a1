"""Mask state: a MobileNetV2 cut down to 96x96 faces; masked, unmasked, incorrect."""

from __future__ import annotations

from torch import Tensor, nn

from models.blocks import BytesIn, Conv, InvertedResidual, global_mean

__all__ = ["build"]

#: (expansion, channels, repeats, stride of the first) after the stem.
_STAGES = ((1, 12, 1, 1), (4, 16, 2, 2), (4, 24, 3, 2), (6, 40, 3, 2), (6, 64, 2, 1), (6, 96, 1, 2))


class _Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [Conv(3, 16, 3, 2)]
        channels = 16
        for expand, cout, repeats, stride in _STAGES:
            for i in range(repeats):
                layers.append(InvertedResidual(channels, cout, stride if i == 0 else 1, expand))
                channels = cout
        layers.append(Conv(channels, 256, 1))
        self.features = nn.Sequential(*layers)
        self.dropout = nn.Dropout(0.2)
        self.classify = nn.Linear(256, 3)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classify(self.dropout(global_mean(self.features(x))))
        return logits


def build() -> nn.Module:
    """Return the network with its initial values.

    It takes float32 ``[N, 96, 96, 3]`` BGR, ``(byte - 128) / 128``, and gives logits ``[N, 3]``.
    """
    return BytesIn(_Net())
