"""Say which gender a face is taken for, by its looks; it reads the frame's own pixels.

A guess from a picture, no fact about a person: a bundle may leave it out altogether.
"""

from __future__ import annotations

from edge.contract import Contract
from edge.engines.base import Engine
from edge.results import Gender
from edge.stages.base import Stage
from edge.stages.labels import Labels

__all__ = ["GENDERS", "GenderStage"]

#: What the labels can be; the contract says in which order.
GENDERS = ("female", "male")


class GenderStage(Stage[Gender]):
    """The likelier of the two labels and its probability.

    Attributes:
        labels: of the contract, in their order.
    """

    def __init__(self, engine: Engine, contract: Contract) -> None:
        super().__init__(engine, contract)
        self._labels = Labels(contract, GENDERS)
        self.labels = contract.labels

    def decode(self, place: int = 0) -> Gender:
        """Return the gender of a face that was prepared."""
        return Gender(*self._labels.likeliest(self.stored(self._labels.position, place)))
