"""E1: MobileNetV2 at 224 with two dense heads: 68 points in 3-D and a 224x224 depth map."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from export.proof.shapes.blocks import LastToFirst, mobilenet_v2

__all__ = ["LandmarkDepth"]


def _dense(*widths: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for into, width in pairwise(widths):
        layers += [nn.Linear(into, width), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class LandmarkDepth(nn.Module):
    """Dropout takes no part in inference and is left out."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(LastToFirst(), mobilenet_v2())
        self.points = _dense(1280, 1024, 512, 256, 204)
        self.depth = _dense(1280, 1024, 512, 224 * 224)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return points ``[N, 68, 3]`` and depths ``[N, 224, 224]``."""
        pooled = nn.functional.adaptive_avg_pool2d(self.backbone(x), 1).flatten(1)
        return self.points(pooled).reshape(-1, 68, 3), self.depth(pooled).reshape(-1, 224, 224)
