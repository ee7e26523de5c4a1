"""Emotion: a MobileNetV2 cut down to 64x64 faces; seven classes."""

from __future__ import annotations

from torch import nn

from models.blocks import BytesIn, MobileNetV2

__all__ = ["build"]

#: (expansion, channels, repeats, stride of the first) after the stem.
_STAGES = (
    (1, 16, 1, 1),
    (4, 24, 2, 2),
    (4, 32, 2, 1),
    (4, 64, 3, 2),
    (4, 96, 2, 1),
    (4, 128, 1, 2),
)


def build() -> nn.Module:
    """Return the network with its initial values.

    It takes float32 ``[N, 64, 64, 3]`` BGR, ``(byte - 128) / 128``, and gives logits ``[N, 7]``.
    """
    return BytesIn(MobileNetV2(_STAGES, stem=32, head=384, classes=7))
