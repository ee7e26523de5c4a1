"""Say which emotion a face shows; it reads the frame's own pixels, never painted ones."""

from __future__ import annotations

from edge.contract import Contract
from edge.engines.base import Engine
from edge.results import Emotion
from edge.stages.base import Stage
from edge.stages.labels import Labels

__all__ = ["EmotionStage"]


class EmotionStage(Stage[Emotion]):
    """The likeliest of the contract's labels and its probability.

    Attributes:
        labels: of the contract, in their order.
    """

    def __init__(self, engine: Engine, contract: Contract) -> None:
        super().__init__(engine, contract)
        self._labels = Labels(contract)
        self.labels = contract.labels

    def decode(self, place: int = 0) -> Emotion:
        """Return the emotion of a face that was prepared."""
        return Emotion(*self._labels.likeliest(self.stored(self._labels.position, place)))
