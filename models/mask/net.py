"""Mask state: a MobileNetV2 cut down to 96x96 faces; masked, unmasked, incorrect."""

from __future__ import annotations

from torch import nn

from models.blocks import BytesIn, MobileNetV2

__all__ = ["build"]

#: (expansion, channels, repeats, stride of the first) after the stem.
_STAGES = (
    (1, 12, 1, 1),
    (4, 16, 2, 2),
    (4, 24, 3, 2),
    (6, 40, 3, 2),
    (6, 64, 2, 1),
    (6, 96, 1, 2),
)


def build() -> nn.Module:
    """Return the network with its initial values.

    It takes float32 ``[N, 96, 96, 3]`` BGR, ``(byte - 128) / 128``, and gives logits ``[N, 3]``.
    """
    return BytesIn(MobileNetV2(_STAGES, stem=16, head=256, classes=3))
