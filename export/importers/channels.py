"""Normalise a picture whose channels have means and scales of their own, as an operator."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["Channels"]


class Channels(nn.Module):
    """Turn the bytes' common real values into those that the network was trained on.

    Args:
        network: takes ``(byte - mean) / std``, channels last.
        scales: means and stds of each input, one a channel; None leaves an input as it is.
    """

    def __init__(
        self,
        network: nn.Module,
        scales: Sequence[tuple[tuple[float, ...], tuple[float, ...]] | None],
    ) -> None:
        super().__init__()
        self.network = network
        self._plain = tuple(scale is None for scale in scales)
        for position, scale in enumerate(scales):
            if scale is None:
                continue
            means, stds = torch.tensor(scale[0]), torch.tensor(scale[1])
            # byte = real * 128 + 128, the real value of every picture of ours.
            self.register_buffer(f"gain{position}", 128.0 / stds)
            self.register_buffer(f"shift{position}", (128.0 - means) / stds)

    def forward(self, *pictures: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Run the block."""
        scaled = (
            picture
            if self._plain[i]
            else picture * self.get_buffer(f"gain{i}") + self.get_buffer(f"shift{i}")
            for i, picture in enumerate(pictures)
        )
        result: Tensor | tuple[Tensor, ...] = self.network(*scaled)
        return result
