"""Turn pictures at a network's ends: channels last outside, channels first within."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

__all__ = ["ChannelsLast"]


class ChannelsLast(nn.Module):
    """Give a network pictures with channels last, outside; within it they stay first.

    Args:
        network: takes and gives NCHW.
        inputs, outputs: which of its arguments and results are turned.
    """

    def __init__(self, network: nn.Module, inputs: Sequence[bool], outputs: Sequence[bool]) -> None:
        super().__init__()
        self.network = network
        self._inputs, self._outputs = tuple(inputs), tuple(outputs)

    def forward(self, *inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Run the network."""
        turned = (
            x.permute(0, 3, 1, 2) if turn else x
            for x, turn in zip(inputs, self._inputs, strict=True)
        )
        found = self.network(*turned)
        results = tuple(
            y.permute(0, 2, 3, 1) if turn else y
            for y, turn in zip(
                found if isinstance(found, tuple) else (found,), self._outputs, strict=True
            )
        )
        return results[0] if len(results) == 1 else results
