"""Say which emotion a face shows; it reads the frame's own pixels, never painted ones."""

from __future__ import annotations

from edge.contract import Contract
from edge.engines.base import Engine
from edge.results import Emotion
from edge.stages.base import Stage, check_labels, likeliest

__all__ = ["EmotionStage"]


class EmotionStage(Stage[Emotion]):
    """The likeliest of the contract's labels and its probability.

    Attributes:
        labels: of the contract, in their order.
    """

    def __init__(self, engine: Engine, contract: Contract) -> None:
        super().__init__(engine, contract)
        self._position = check_labels(contract)
        self.labels = contract.labels

    def decode(self, place: int = 0) -> Emotion:
        """Return the emotion of a face that was prepared."""
        stored = self.stored(self._position, place)
        return Emotion(*likeliest(self.contract, stored, self._position))
